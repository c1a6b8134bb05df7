/* A program that is a window and nothing else; on WM_CLOSE it cleans up and exits with 4.
   windows_box.exe top (hidden, top-level), message (message-only), or both. Heeds no console. */
#include <windows.h>
#include <stdio.h>
#include <wchar.h>

static int closes;

static void say(const char *words) {
    DWORD written;
    WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), words, (DWORD)strlen(words), &written, NULL);
}

static BOOL WINAPI ignore(DWORD event) {
    (void)event;
    say("a console event\n");
    return TRUE;
}

static LRESULT CALLBACK procedure(HWND window, UINT message, WPARAM wide, LPARAM more) {
    if (message == WM_CLOSE) {
        closes++;
        say(GetAncestor(window, GA_PARENT) == GetDesktopWindow() ? "close top\n" : "close message\n");
        PostQuitMessage(4);
        return 0;
    }
    return DefWindowProcW(window, message, wide, more);
}

int wmain(int argc, wchar_t **argv) {
    WNDCLASSEXW kind = {sizeof kind};
    MSG message;
    const wchar_t *how = argc > 1 ? argv[1] : L"both";
    kind.lpfnWndProc = procedure;
    kind.hInstance = GetModuleHandleW(NULL);
    kind.lpszClassName = L"ProcessionTestBox";
    RegisterClassExW(&kind);
    SetConsoleCtrlHandler(ignore, TRUE);
    if (wcscmp(how, L"message"))
        if (!CreateWindowExW(0, kind.lpszClassName, L"box", 0, 0, 0, 0, 0, NULL, NULL, kind.hInstance, NULL)) return 90;
    if (wcscmp(how, L"top"))
        if (!CreateWindowExW(0, kind.lpszClassName, L"box", 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, kind.hInstance, NULL)) return 91;
    say("ready\n");
    while (GetMessageW(&message, NULL, 0, 0) > 0) DispatchMessageW(&message);
    say("clean\n");
    return (int)message.wParam;
}
