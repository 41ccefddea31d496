/* Waits for events as a program written for AIX does: open, write, and then select and read, again and again.
 *
 * usage: monitor MONITOR-FILE REGISTRATION RECORDS
 * Prints each record as it was read, a line "--" behind it, and ends after RECORDS of them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

static int fail(const char *what)
{
    fprintf(stderr, "%s: errno %d\n", what, errno);
    return 1;
}

int main(int argc, char **argv)
{
    char record[4096];
    int file, left;

    if (argc != 4)
        return 2;
    file = open(argv[1], O_CREAT | O_RDWR, 0600);
    if (file < 0)
        return fail("open");
    if (write(file, argv[2], strlen(argv[2])) != (ssize_t)strlen(argv[2]))
        return fail("write");
    for (left = atoi(argv[3]); left > 0; left--) {
        fd_set readable;
        ssize_t count;

        FD_ZERO(&readable);
        FD_SET(file, &readable);
        if (select(file + 1, &readable, NULL, NULL, NULL) < 0)
            return fail("select");
        count = read(file, record, sizeof record);
        if (count < 0)
            return fail("read");
        if (fwrite(record, 1, (size_t)count, stdout) != (size_t)count || puts("--") < 0 || fflush(stdout) != 0)
            return fail("print");
    }
    return close(file) == 0 ? 0 : fail("close");
}
