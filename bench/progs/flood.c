/* Waits until a FIFO is opened for writing, then writes SIZE bytes of numbered 100-byte lines to
   its standard output, WRITE bytes at a time.   flood FIFO SIZE WRITE */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE 100
#define LINES 16384

static char lines[LINE * LINES + 1];

int main(int argc, char **argv)
{
    long long left, at = 0;
    long step;
    int number, gate;

    if (argc != 4)
        return fprintf(stderr, "flood FIFO SIZE WRITE\n"), 2;
    left = atoll(argv[2]);
    step = atol(argv[3]);
    for (number = 0; number < LINES; number++)
        sprintf(lines + (size_t)number * LINE, "%0*d\n", LINE - 1, number);
    gate = open(argv[1], O_RDONLY);
    if (gate < 0)
        return perror(argv[1]), 1;
    while (left > 0) {
        long size = step;
        ssize_t done;
        if (size > left)
            size = (long)left;
        if (size > LINE * LINES - at)
            size = (long)(LINE * LINES - at);
        done = write(1, lines + at, (size_t)size);
        if (done < 0) {
            if (errno == EINTR)
                continue;
            return perror("flood"), 1;
        }
        left -= done;
        at = (at + done) % (LINE * LINES);
    }
    return 0;
}
