/* A console program that knows of stopping only what SetConsoleCtrlHandler tells it.
   windows_console.exe hears: cleans up when told, and exits with 3. deaf: says that it heard. */
#include <windows.h>
#include <stdio.h>
#include <wchar.h>

static HANDLE told;
static volatile DWORD event_told;

static BOOL WINAPI handler(DWORD event) {
    event_told = event;
    SetEvent(told);
    return TRUE;
}

static void say(const char *words) {
    DWORD written;
    WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), words, (DWORD)strlen(words), &written, NULL);
}

int wmain(int argc, wchar_t **argv) {
    char words[64];
    BOOL deaf = argc > 1 && !wcscmp(argv[1], L"deaf");
    told = CreateEventW(NULL, FALSE, FALSE, NULL);
    SetConsoleCtrlHandler(handler, TRUE);
    say("ready\n");
    do {
        WaitForSingleObject(told, INFINITE);
        sprintf(words, "event %lu\n", event_told);
        say(words);
    } while (deaf);
    say("clean\n");
    return 3;
}
