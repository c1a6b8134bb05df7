/* A task that costs next to nothing: writes its pid file, says so by one byte into a FIFO, and
   ends with 0 when it is asked to. It holds the FIFO open, so end of file there tells that all
   tasks are gone.   obedient PIDFILE FIFO */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static int fail(const char *what)
{
    size_t length = 0;
    while (what[length])
        length++;
    (void)!write(2, what, length);
    return 1;
}

int main(int argc, char **argv)
{
    char digits[16];
    int at = sizeof digits, number, file, stage;
    sigset_t asks;

    if (argc != 3)
        return fail("obedient PIDFILE FIFO\n");
    sigemptyset(&asks);
    sigaddset(&asks, SIGTERM);
    sigaddset(&asks, SIGINT);
    sigprocmask(SIG_BLOCK, &asks, NULL);
    digits[--at] = '\n';
    for (number = getpid(); number; number /= 10)
        digits[--at] = (char)('0' + number % 10);
    file = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0 || write(file, digits + at, sizeof digits - at) < 0 || close(file) < 0)
        return fail("obedient: the pid file cannot be written\n");
    stage = open(argv[2], O_WRONLY);
    if (stage < 0 || write(stage, "!", 1) != 1)
        return fail("obedient: the FIFO cannot be written\n");
    sigwait(&asks, &number);
    return 0;
}
