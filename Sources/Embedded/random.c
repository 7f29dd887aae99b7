/* What Embedded Swift seeds its hash tables with. The function is glibc's from 2.36 on only; here it asks the kernel, so
   that the library loads on the older systems that people still have. */
#include <stddef.h>
#include <sys/random.h>

void arc4random_buf(void *buffer, size_t length);
__attribute__((visibility("hidden"))) void arc4random_buf(void *buffer, size_t length) {
  /* Whatever the kernel refuses stays as it was: a seed need not be secret for the tables to be right. */
  if (getrandom(buffer, length, GRND_NONBLOCK) < 0) return;
}
