/* See mod.rs. Stands between a process and the C library. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
    int64_t skew_ns;
    int64_t sync_delay_us;
    int64_t lies;
    int64_t reserved;
};

struct record {
    uint64_t length, offset, count;
};

/* Files and undo files are locked by inode; equal locks for two only wait. */
#define LOCKS 256

static struct control *control;
static const char *undo_directory;
static const char *data_directory;
static pthread_mutex_t locks[LOCKS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fallocate)(int, int, off_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_gettimeofday)(struct timeval *, void *);

static void find_all(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_pwritev = dlsym(RTLD_NEXT, "pwritev64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fallocate = dlsym(RTLD_NEXT, "fallocate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    real_gettimeofday = dlsym(RTLD_NEXT, "gettimeofday");
    for (int i = 0; i < LOCKS; i++)
        pthread_mutex_init(&locks[i], NULL);
    undo_directory = getenv("SHIM_UNDO");
    data_directory = getenv("SHIM_DATA");
    const char *path = getenv("SHIM_CONTROL");
    if (!path)
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    void *map = mmap(NULL, sizeof *control, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED)
        control = map;
}

static void ready(void) { pthread_once(&once, find_all); }

static void fail(const char *what) {
    char text[200];
    int length = snprintf(text, sizeof text, "shim: %s: %s\n", what, strerror(errno));
    if (length > 0 && real_write(2, text, length) < 0)
        abort();
    abort();
}

/* Of which part of the data directory a file is: bits of control.lies. */
enum { ELSEWHERE = 0, LOG = 1, VOLUMES = 2, REST = 4 };

static int part_of(const char *below) {
    if (strncmp(below, "raft/", 5) == 0)
        return LOG;
    return strncmp(below, "volumes/", 8) == 0 ? VOLUMES : REST;
}

/* Of which part the descriptor is, if it is of a regular file below the data
   directory; its inode then. */
static int is_ours(int fd, struct stat *about) {
    if (!undo_directory || !data_directory)
        return ELSEWHERE;
    int before = errno;
    int ours = ELSEWHERE;
    if (fstat(fd, about) == 0 && S_ISREG(about->st_mode)) {
        char link[64], path[4096];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, path, sizeof path - 1);
        size_t prefix = strlen(data_directory);
        if (length > 0) {
            path[length] = 0;
            if (strncmp(path, data_directory, prefix) == 0 && path[prefix] == '/')
                ours = part_of(path + prefix + 1);
        }
    }
    errno = before;
    return ours;
}

static pthread_mutex_t *lock(const struct stat *about) {
    pthread_mutex_t *held = &locks[about->st_ino % LOCKS];
    pthread_mutex_lock(held);
    return held;
}

static int open_undo(const struct stat *about, int flags) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%llu", undo_directory, (unsigned long long)about->st_ino);
    return open(path, flags | O_CLOEXEC, 0600);
}

/* Keeps what `count` bytes at `offset` are now, and how long the file is. Called
   under the lock; `fd` may be open for writing only. */
static void keep(int fd, const struct stat *about, off_t offset, size_t count) {
    int before = errno;
    struct stat now;
    if (fstat(fd, &now) != 0)
        fail("look at a file");
    size_t there = 0;
    if (offset < now.st_size)
        there = (size_t)(now.st_size - offset) < count ? (size_t)(now.st_size - offset) : count;
    /* An empty file has nothing to lose; its inode may have been another file's. */
    int fresh = now.st_size == 0 ? O_TRUNC : O_APPEND;
    int undo = open_undo(about, O_WRONLY | O_CREAT | fresh);
    if (undo < 0)
        fail("open an undo file");
    size_t whole = sizeof(struct record) + there;
    char *bytes = malloc(whole);
    if (!bytes)
        fail("keep what was there");
    struct record *record = (struct record *)bytes;
    *record = (struct record){now.st_size, offset, there};
    if (there > 0) {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        int reader = open(link, O_RDONLY | O_CLOEXEC);
        if (reader < 0)
            fail("open a file to keep what was there");
        for (size_t done = 0; done < there;) {
            ssize_t got = pread(reader, bytes + sizeof *record + done, there - done, offset + done);
            if (got <= 0)
                fail("read what was there");
            done += got;
        }
        close(reader);
    }
    if (real_write(undo, bytes, whole) != (ssize_t)whole)
        fail("write an undo file");
    free(bytes);
    close(undo);
    errno = before;
}

static off_t position(int fd) {
    int flags = fcntl(fd, F_GETFL);
    struct stat about;
    if (flags >= 0 && (flags & O_APPEND) && fstat(fd, &about) == 0)
        return about.st_size;
    return lseek(fd, 0, SEEK_CUR);
}

static size_t sum(const struct iovec *parts, int count) {
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    return total;
}

#define GUARDED(type, fd, offset, count, call)                                                     \
    do {                                                                                           \
        ready();                                                                                   \
        struct stat about;                                                                         \
        if (!is_ours(fd, &about))                                                                  \
            return call;                                                                           \
        pthread_mutex_t *held = lock(&about);                                                      \
        keep(fd, &about, offset, count);                                                           \
        type result = call;                                                                        \
        pthread_mutex_unlock(held);                                                                \
        return result;                                                                             \
    } while (0)

ssize_t write(int fd, const void *bytes, size_t count) {
    GUARDED(ssize_t, fd, position(fd), count, real_write(fd, bytes, count));
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    GUARDED(ssize_t, fd, position(fd), sum(parts, count), real_writev(fd, parts, count));
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset) {
    GUARDED(ssize_t, fd, offset, count, real_pwrite(fd, bytes, count, offset));
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return pwrite64(fd, bytes, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t offset) {
    GUARDED(ssize_t, fd, offset, sum(parts, count), real_pwritev(fd, parts, count, offset));
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    return pwritev64(fd, parts, count, offset);
}

/* What is cut off is kept; what is added is taken back by the length. */
int ftruncate64(int fd, off_t length) {
    GUARDED(int, fd, length, SIZE_MAX / 2, real_ftruncate(fd, length));
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fallocate64(int fd, int mode, off_t offset, off_t length) {
    GUARDED(int, fd, offset, 0, real_fallocate(fd, mode, offset, length));
}

int fallocate(int fd, int mode, off_t offset, off_t length) {
    return fallocate64(fd, mode, offset, length);
}

int posix_fallocate64(int fd, off_t offset, off_t length) {
    int before = errno;
    int result = fallocate64(fd, 0, offset, length) == 0 ? 0 : errno;
    errno = before;
    return result;
}

int posix_fallocate(int fd, off_t offset, off_t length) {
    return posix_fallocate64(fd, offset, length);
}

static int sync_with(int fd, int (*real)(int)) {
    struct stat about;
    int ours = is_ours(fd, &about);
    if (ours && control && control->sync_delay_us > 0)
        usleep(control->sync_delay_us);
    if (control && (control->lies & ours))
        return 0;
    if (!ours)
        return real(fd);
    pthread_mutex_t *held = lock(&about);
    int result = real(fd);
    if (result == 0) {
        int before = errno;
        int undo = open_undo(&about, O_WRONLY | O_TRUNC);
        if (undo >= 0)
            close(undo);
        errno = before;
    }
    pthread_mutex_unlock(held);
    return result;
}

int fsync(int fd) {
    ready();
    return sync_with(fd, real_fsync);
}

int fdatasync(int fd) {
    ready();
    return sync_with(fd, real_fdatasync);
}

static void add(struct timespec *time, int64_t ns) {
    int64_t whole = (int64_t)time->tv_sec * 1000000000 + time->tv_nsec + ns;
    time->tv_sec = whole / 1000000000;
    time->tv_nsec = whole % 1000000000;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    ready();
    int result = real_clock_gettime(clock, time);
    if (result == 0 && control && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        add(time, control->skew_ns);
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    ready();
    int result = real_gettimeofday(time, zone);
    if (result == 0 && control) {
        struct timespec exact = {time->tv_sec, time->tv_usec * 1000};
        add(&exact, control->skew_ns);
        time->tv_sec = exact.tv_sec;
        time->tv_usec = exact.tv_nsec / 1000;
    }
    return result;
}
