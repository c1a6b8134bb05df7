/* desktop.exe CMD ARGS...: runs a command in a console of its own that nobody sees, with our
   streams. Alone it only starts the desktop: under Wine the first process that has a window
   starts explorer.exe, which would hold that process's streams open. */
#include <windows.h>

int wmain(void) {
    wchar_t *line = GetCommandLineW();
    STARTUPINFOW startup = {sizeof startup};
    PROCESS_INFORMATION started;
    DWORD status = 1;
    if (*line == L'"') {
        for (line++; *line && *line != L'"'; line++) {}
        if (*line) line++;
    } else {
        while (*line && *line != L' ') line++;
    }
    while (*line == L' ') line++;
    GetDesktopWindow();
    if (!*line) return 0;
    startup.dwFlags = STARTF_USESTDHANDLES;
    startup.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    startup.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, CREATE_NO_WINDOW, NULL, NULL, &startup, &started))
        return 127;
    WaitForSingleObject(started.hProcess, INFINITE);
    GetExitCodeProcess(started.hProcess, &status);
    return (int)status;
}
