/* For tests only: a library for LD_PRELOAD that numbers the system calls a process makes on its spool and on
 * its connections to Redis, kills the process at one of them, or lets them fail as a full or a broken disk
 * does.
 *
 * BREAKWATER_FAULTS_CONTROL: file with `struct control`, shared with the test, which changes it at any time.
 * BREAKWATER_FAULTS_REDIS: path of Redis's Unix socket, or 127.0.0.1:PORT. Without it no socket is looked at.
 *
 * Disk calls are those that write, and only on files below a folder named spool. disk_faults.py is the other
 * side of it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

/* control.kill_where. inside: when the first half of the bytes is written. */
enum { before = 0, after = 1, inside = 2 };
/* control.watch */
enum { watch_disk = 1, watch_redis = 2 };
/* A kill does not tear less than a page of a file. */
enum { page = 4096, trace_size = 64 * 1024 };

struct control {
  uint64_t magic;
  _Atomic uint64_t calls;   /* so far */
  _Atomic uint64_t kill_at; /* number of the call, from 1, or the next one when that is past; 0: never */
  _Atomic uint32_t kill_where;
  _Atomic uint32_t watch;
  _Atomic uint32_t write_error; /* errno of everything that would write to the spool; 0: none */
  _Atomic uint32_t sync_error;  /* errno of fsync, fdatasync, msync there; 0: none */
  _Atomic uint64_t failed;      /* calls that failed so */
  char killed_at[80];           /* name and size of the call it was killed at */
  char trace[trace_size];       /* one letter a call: w write, s sync, t size, > send, < receive */
};

static const uint64_t magic = 0x31746c7561666b62; /* "bkfault1" */
static struct control* control;
static struct sockaddr_storage redis_address;
static socklen_t redis_address_size;
static _Atomic int dying;

/* dlsym as a function pointer, which ISO C cannot cast to. */
static void find(void** to, const char* name) {
  if (*to == NULL) *to = dlsym(RTLD_NEXT, name);
}
#define REAL(name)                                                                                           \
  static __typeof__(&name) real;                                                                             \
  find((void**)&real, #name)

__attribute__((constructor)) static void begin(void) {
  const char* path = getenv("BREAKWATER_FAULTS_CONTROL");
  if (path == NULL) return;
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  struct stat is;
  struct control* mapped = MAP_FAILED;
  if (fstat(fd, &is) == 0 && is.st_size >= (off_t)sizeof *control)
    mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED || mapped->magic != magic) {
    fprintf(stderr, "breakwater_disk_faults: %s is no control file\n", path);
    abort();
  }

  const char* redis = getenv("BREAKWATER_FAULTS_REDIS");
  if (redis != NULL && redis[0] == '/') {
    struct sockaddr_un* un = (struct sockaddr_un*)&redis_address;
    un->sun_family = AF_UNIX;
    snprintf(un->sun_path, sizeof un->sun_path, "%s", redis);
    redis_address_size = sizeof *un;
  } else if (redis != NULL) {
    const char* port = strrchr(redis, ':');
    struct sockaddr_in* in = (struct sockaddr_in*)&redis_address;
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in->sin_port = htons((uint16_t)atoi(port ? port + 1 : "6379"));
    redis_address_size = sizeof *in;
  }
  control = mapped;
}

static int is_spool(int fd) {
  if (control == NULL || fd < 0) return 0;
  const int saved = errno;
  char link[48], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, path, sizeof path - 2);
  errno = saved;
  if (size <= 0) return 0;
  path[size] = '/'; /* so that the folder itself counts too */
  path[size + 1] = 0;
  return path[0] == '/' && strstr(path, "/spool/") != NULL;
}

static int is_redis(int fd) {
  if (control == NULL || redis_address_size == 0 || !(control->watch & watch_redis)) return 0;
  const int saved = errno;
  struct sockaddr_storage peer;
  socklen_t size = sizeof peer;
  memset(&peer, 0, sizeof peer);
  const int failed = getpeername(fd, (struct sockaddr*)&peer, &size);
  errno = saved;
  if (failed || peer.ss_family != redis_address.ss_family) return 0;
  if (peer.ss_family == AF_UNIX)
    return strcmp(((struct sockaddr_un*)&peer)->sun_path, ((struct sockaddr_un*)&redis_address)->sun_path) ==
           0;
  return ((struct sockaddr_in*)&peer)->sin_port == ((struct sockaddr_in*)&redis_address)->sin_port;
}

static void die(const char* name, size_t size) {
  if (control->killed_at[0] == 0)
    snprintf(control->killed_at, sizeof control->killed_at, "%s %zu", name, size);
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* Counts a call; does not return from the one to die before. Nonzero: to die after it, or inside. */
static uint32_t step(char letter, const char* name, size_t size) {
  const uint64_t number = 1 + atomic_fetch_add(&control->calls, 1);
  if (number <= trace_size) control->trace[number - 1] = letter;
  const uint64_t kill_at = control->kill_at;
  if (kill_at == 0 || number < kill_at) return 0;
  /* Of threads that are here together one dies, and what the others are about to do does not happen. */
  if (atomic_exchange(&dying, 1))
    for (;;) pause();
  if (control->kill_where == before) die(name, size);
  return control->kill_where;
}

/* What is left of a call that is to be torn: bytes written before the kill. */
static size_t half(size_t size, size_t grain) { return size / 2 / grain * grain; }

static int fails(_Atomic uint32_t* with) {
  const uint32_t error = *with;
  if (error == 0) return 0;
  atomic_fetch_add(&control->failed, 1);
  errno = (int)error;
  return 1;
}

static size_t sum(const struct iovec* parts, int count) {
  size_t size = 0;
  for (int i = 0; i < count; ++i) size += parts[i].iov_len;
  return size;
}

/* The first `size` bytes of `parts` in `to`, which has room for them all; how many parts that are. */
static int cut(const struct iovec* parts, int count, size_t size, struct iovec* to) {
  int made = 0;
  for (; made < count && size > 0; ++made) {
    to[made] = parts[made];
    if (to[made].iov_len > size) to[made].iov_len = size;
    size -= to[made].iov_len;
  }
  return made;
}

/* A call on the disk that writes `size` bytes by `whole`, the first half of which `part` writes. */
#define DISK(letter, error, size, whole, part)                                                               \
  do {                                                                                                       \
    if (!is_spool(fd)) return whole;                                                                         \
    if (fails(&control->error)) return -1;                                                                   \
    if (!(control->watch & watch_disk)) return whole;                                                        \
    const uint32_t end = step(letter, __func__, size);                                                       \
    if (end == inside) {                                                                                     \
      (void)!(part);                                                                                         \
      die(__func__, size);                                                                                   \
    }                                                                                                        \
    const __auto_type result = whole;                                                                        \
    if (end == after) die(__func__, size);                                                                   \
    return result;                                                                                           \
  } while (0)

ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  REAL(pwrite);
  DISK('w', write_error, size, real(fd, data, size, at), real(fd, data, half(size, page), at));
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
  REAL(pwrite64);
  DISK('w', write_error, size, real(fd, data, size, at), real(fd, data, half(size, page), at));
}

ssize_t pwritev(int fd, const struct iovec* parts, int count, off_t at) {
  REAL(pwritev);
  struct iovec some[IOV_MAX];
  DISK('w', write_error, sum(parts, count), real(fd, parts, count, at),
       real(fd, some, cut(parts, count, half(sum(parts, count), page), some), at));
}

ssize_t pwritev64(int fd, const struct iovec* parts, int count, off64_t at) {
  REAL(pwritev64);
  struct iovec some[IOV_MAX];
  DISK('w', write_error, sum(parts, count), real(fd, parts, count, at),
       real(fd, some, cut(parts, count, half(sum(parts, count), page), some), at));
}

ssize_t pwritev2(int fd, const struct iovec* parts, int count, off_t at, int flags) {
  REAL(pwritev2);
  struct iovec some[IOV_MAX];
  DISK('w', write_error, sum(parts, count), real(fd, parts, count, at, flags),
       real(fd, some, cut(parts, count, half(sum(parts, count), page), some), at, flags));
}

ssize_t pwritev64v2(int fd, const struct iovec* parts, int count, off64_t at, int flags) {
  REAL(pwritev64v2);
  struct iovec some[IOV_MAX];
  DISK('w', write_error, sum(parts, count), real(fd, parts, count, at, flags),
       real(fd, some, cut(parts, count, half(sum(parts, count), page), some), at, flags));
}

int fsync(int fd) {
  REAL(fsync);
  DISK('s', sync_error, 0, real(fd), 0);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  DISK('s', sync_error, 0, real(fd), 0);
}

int ftruncate(int fd, off_t size) {
  REAL(ftruncate);
  DISK('t', write_error, (size_t)size, real(fd, size), 0);
}

int ftruncate64(int fd, off64_t size) {
  REAL(ftruncate64);
  DISK('t', write_error, (size_t)size, real(fd, size), 0);
}

int fallocate(int fd, int mode, off_t at, off_t size) {
  REAL(fallocate);
  DISK('t', write_error, (size_t)size, real(fd, mode, at, size), real(fd, mode, at, size / 2));
}

int fallocate64(int fd, int mode, off64_t at, off64_t size) {
  REAL(fallocate64);
  DISK('t', write_error, (size_t)size, real(fd, mode, at, size), real(fd, mode, at, size / 2));
}

/* These two return the error. */
static int allocate(int fd, off_t at, off_t size, int (*real)(int, off_t, off_t)) {
  DISK('t', write_error, (size_t)size, real(fd, at, size), real(fd, at, size / 2));
}

int posix_fallocate(int fd, off_t at, off_t size) {
  REAL(posix_fallocate);
  return allocate(fd, at, size, real) < 0 ? errno : 0;
}

int posix_fallocate64(int fd, off64_t at, off64_t size) {
  REAL(posix_fallocate64);
  return allocate(fd, at, size, real) < 0 ? errno : 0;
}

/* A map has no descriptor; the spool is the only one that is synced. */
int msync(void* data, size_t size, int flags) {
  REAL(msync);
  if (control == NULL) return real(data, size, flags);
  if (fails(&control->sync_error)) return -1;
  if (!(control->watch & watch_disk)) return real(data, size, flags);
  const uint32_t end = step('s', __func__, size);
  if (end == inside) die(__func__, size);
  const int result = real(data, size, flags);
  if (end == after) die(__func__, size);
  return result;
}

/* A call on a socket to Redis. */
#define SOCKET(letter, size, whole, part)                                                                    \
  do {                                                                                                       \
    const uint32_t end = step(letter, __func__, size);                                                       \
    if (end == inside) {                                                                                     \
      (void)!(part);                                                                                         \
      die(__func__, size);                                                                                   \
    }                                                                                                        \
    const __auto_type result = whole;                                                                        \
    if (end == after) die(__func__, size);                                                                   \
    return result;                                                                                           \
  } while (0)

ssize_t write(int fd, const void* data, size_t size) {
  REAL(write);
  if (is_redis(fd)) SOCKET('>', size, real(fd, data, size), real(fd, data, half(size, 1)));
  DISK('w', write_error, size, real(fd, data, size), real(fd, data, half(size, page)));
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
  REAL(writev);
  struct iovec some[IOV_MAX];
  if (is_redis(fd))
    SOCKET('>', sum(parts, count), real(fd, parts, count),
           real(fd, some, cut(parts, count, half(sum(parts, count), 1), some)));
  DISK('w', write_error, sum(parts, count), real(fd, parts, count),
       real(fd, some, cut(parts, count, half(sum(parts, count), page), some)));
}

ssize_t send(int fd, const void* data, size_t size, int flags) {
  REAL(send);
  if (!is_redis(fd)) return real(fd, data, size, flags);
  SOCKET('>', size, real(fd, data, size, flags), real(fd, data, half(size, 1), flags));
}

ssize_t sendmsg(int fd, const struct msghdr* message, int flags) {
  REAL(sendmsg);
  if (!is_redis(fd)) return real(fd, message, flags);
  const size_t size = sum(message->msg_iov, (int)message->msg_iovlen);
  struct iovec some[IOV_MAX];
  struct msghdr torn = *message;
  torn.msg_iov = some;
  torn.msg_iovlen = (size_t)cut(message->msg_iov, (int)message->msg_iovlen, half(size, 1), some);
  SOCKET('>', size, real(fd, message, flags), real(fd, &torn, flags));
}

/* A read is numbered by the try, also when nothing is there yet. */
ssize_t recv(int fd, void* data, size_t size, int flags) {
  REAL(recv);
  if (!is_redis(fd)) return real(fd, data, size, flags);
  SOCKET('<', size, real(fd, data, size, flags), 0);
}

ssize_t recvmsg(int fd, struct msghdr* message, int flags) {
  REAL(recvmsg);
  if (!is_redis(fd)) return real(fd, message, flags);
  SOCKET('<', sum(message->msg_iov, (int)message->msg_iovlen), real(fd, message, flags), 0);
}

ssize_t readv(int fd, const struct iovec* parts, int count) {
  REAL(readv);
  if (!is_redis(fd)) return real(fd, parts, count);
  SOCKET('<', sum(parts, count), real(fd, parts, count), 0);
}
