/* python.exe of the Windows lab: hands the command line to python3xx.dll, and gives Wine what it
   lacks of console events. Compiled at test time; never part of the package.

   Windows delivers a console event by a thread at CtrlRoutine in each process of the console that
   belongs to the group. Wine does so for Ctrl-C; Ctrl-Break it refuses (Wine 8) or turns into a
   kill (Wine 10), its CtrlRoutine drops every event where Ctrl-C is ignored, and its C runtime
   never raises SIGBREAK. So, in this process only and only under Wine:
   - GenerateConsoleCtrlEvent(CTRL_BREAK or CTRL_CLOSE, GROUP) starts that thread itself, in the
     group's leader and what is below it; for group 0, in the process that AttachConsole named and
     what is below it, since Wine does not tell who else has a console;
   - a Ctrl-Break that arrives raises SIGBREAK where Python has a handler for it.

   python.exe --lab-status=FILE ARGUMENTS... writes its status there when it comes to its end: who is
   terminated has status 0 under Wine, which is not to be taken for success. */
#include <windows.h>
#include <stdio.h>
#include <tlhelp32.h>
#include <wchar.h>

__declspec(dllimport) int Py_Main(int argc, wchar_t **argv);
__declspec(dllimport) int PyErr_SetInterruptEx(int signum);

#define SIGBREAK_NUMBER 21
typedef void (*handler_t)(int);
typedef handler_t (*signal_t)(int, handler_t);
typedef LONG(NTAPI *query_t)(HANDLE, int, void *, ULONG, ULONG *);

static unsigned char *hooked;
static unsigned char original[12], detour[12];
static CRITICAL_SECTION one_at_a_time;
static volatile DWORD attached_to; /* whose console AttachConsole took */
static unsigned char *hooked_attach;
static unsigned char original_attach[12], detour_attach[12];

/* Where a process keeps ProcessParameters->ConsoleFlags; bit 0: ignore Ctrl-C. */
static BOOL flags_address(HANDLE process, BYTE **at) {
    query_t query = (query_t)GetProcAddress(GetModuleHandleA("ntdll"), "NtQueryInformationProcess");
    void *basic[6];
    BYTE *parameters;
    if (query(process, 0, basic, sizeof basic, NULL)) return FALSE;
    if (!ReadProcessMemory(process, (BYTE *)basic[1] + 0x20, &parameters, 8, NULL)) return FALSE;
    *at = parameters + 0x18;
    return TRUE;
}

static BOOL deliver(DWORD pid, DWORD event) {
    void *routine = GetProcAddress(GetModuleHandleA("kernelbase"), "CtrlRoutine");
    HANDLE process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, pid), thread;
    BYTE *at = NULL;
    DWORD flags = 0, clean;
    BOOL known;
    if (!process) return FALSE;
    known = flags_address(process, &at) && ReadProcessMemory(process, at, &flags, 4, NULL);
    clean = flags & ~1u;
    if (known && (flags & 1)) WriteProcessMemory(process, at, &clean, 4, NULL);
    thread = CreateRemoteThread(process, NULL, 0, routine, (void *)(DWORD_PTR)event, 0, NULL);
    if (thread && known && (flags & 1)) {
        WaitForSingleObject(thread, 100); /* it looks at the flags when it begins */
        WriteProcessMemory(process, at, &flags, 4, NULL);
    }
    if (thread) CloseHandle(thread);
    CloseHandle(process);
    return thread != NULL;
}

/* The process and everything below it. The leader's own refusal is the answer. */
static BOOL deliver_group(DWORD leader, DWORD event) {
    DWORD found[512], parents[4096], pids[4096];
    int count = 0, all = 0, i, j;
    PROCESSENTRY32W entry;
    HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    BOOL more, well;
    entry.dwSize = sizeof entry;
    for (more = Process32FirstW(snapshot, &entry); more && all < 4096; more = Process32NextW(snapshot, &entry)) {
        pids[all] = entry.th32ProcessID;
        parents[all++] = entry.th32ParentProcessID;
    }
    CloseHandle(snapshot);
    found[count++] = leader;
    for (i = 0; i < count; i++)
        for (j = 0; j < all && count < 512; j++)
            if (parents[j] == found[i] && pids[j] != found[i]) found[count++] = pids[j];
    well = deliver(found[0], event);
    for (i = 1; i < count; i++)
        if (found[i] != GetCurrentProcessId()) deliver(found[i], event);
    return well;
}

static void patch(unsigned char *at, const unsigned char *bytes) {
    DWORD old;
    VirtualProtect(at, 12, PAGE_EXECUTE_READWRITE, &old);
    memcpy(at, bytes, 12);
    VirtualProtect(at, 12, old, &old);
    FlushInstructionCache(GetCurrentProcess(), at, 12);
}

static BOOL WINAPI generate(DWORD event, DWORD group) {
    BOOL well;
    DWORD target = group ? group : attached_to;
    if (event != CTRL_C_EVENT && target) {
        well = deliver_group(target, event);
        if (!group) deliver(GetCurrentProcessId(), event); /* who attached is in that console too */
        return well;
    }
    EnterCriticalSection(&one_at_a_time);
    patch(hooked, original);
    well = ((BOOL(WINAPI *)(DWORD, DWORD))hooked)(event, group);
    patch(hooked, detour);
    LeaveCriticalSection(&one_at_a_time);
    return well;
}

static BOOL WINAPI attach(DWORD pid) {
    BOOL well;
    EnterCriticalSection(&one_at_a_time);
    patch(hooked_attach, original_attach);
    well = ((BOOL(WINAPI *)(DWORD))hooked_attach)(pid);
    patch(hooked_attach, detour_attach);
    LeaveCriticalSection(&one_at_a_time);
    if (well) attached_to = pid;
    return well;
}

static BOOL WINAPI on_break(DWORD event) {
    signal_t set = (signal_t)GetProcAddress(GetModuleHandleA("ucrtbase"), "signal");
    handler_t found;
    if (event != CTRL_BREAK_EVENT || !set) return FALSE;
    found = set(SIGBREAK_NUMBER, NULL);
    set(SIGBREAK_NUMBER, found);
    if (!found) return FALSE;
    if (found != (handler_t)1) PyErr_SetInterruptEx(SIGBREAK_NUMBER);
    return TRUE;
}

static void hook(const char *name, void *by, unsigned char **at, unsigned char *was, unsigned char *is) {
    *at = (unsigned char *)GetProcAddress(GetModuleHandleA("kernelbase"), name);
    memcpy(was, *at, 12);
    is[0] = 0x48; /* mov rax, by; jmp rax */
    is[1] = 0xB8;
    memcpy(is + 2, &by, 8);
    is[10] = 0xFF;
    is[11] = 0xE0;
    patch(*at, is);
}

static void tell(const wchar_t *file, int status) {
    char text[16];
    DWORD written;
    HANDLE handle = CreateFileW(file, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    if (handle == INVALID_HANDLE_VALUE) return;
    sprintf(text, "%d", status);
    WriteFile(handle, text, (DWORD)strlen(text), &written, NULL);
    CloseHandle(handle);
}

int wmain(int argc, wchar_t **argv) {
    const wchar_t *file = NULL;
    int status;
    if (argc > 1 && !wcsncmp(argv[1], L"--lab-status=", 13)) {
        file = argv[1] + 13;
        argv[1] = argv[0];
        argv++;
        argc--;
    }
    if (GetProcAddress(GetModuleHandleA("ntdll"), "wine_get_version")) {
        InitializeCriticalSection(&one_at_a_time);
        hook("GenerateConsoleCtrlEvent", generate, &hooked, original, detour);
        hook("AttachConsole", attach, &hooked_attach, original_attach, detour_attach);
        SetConsoleCtrlHandler(on_break, TRUE);
    }
    status = Py_Main(argc, argv);
    if (file) tell(file, status);
    return status;
}
