/* The 1600 addresses of itself that the library holds: 38 KB as relocations for the dynamic loader, under 1 KB packed as
   bitmaps. glibc unpacks them from 2.36 on only, and refuses to load a library that has them elsewhere; so they carry
   Android's tags, which glibc passes over, and the library unpacks them itself, before anything else in it runs.

   The format is "RELR" (Ramana and others, 2017, "Proposal for a new section type SHT_RELR", generic-abi): an even word is
   the address of a word to relocate; an odd one has a bit for each of the 63 words that follow. */
#include <elf.h>
#include <stdint.h>
#include <sys/mman.h>

/* Where the library lies, and what its linker says of it. */
extern char __ehdr_start[] __attribute__((visibility("hidden")));
extern const Elf64_Dyn _DYNAMIC[] __attribute__((visibility("hidden")));

enum { PACKED = 0x6fffe000, PACKED_BYTES = 0x6fffe001, PAGE = 4096 };

static uint64_t entry(int64_t tag) {
  const Elf64_Dyn *dynamic = _DYNAMIC;
  while (dynamic->d_tag != DT_NULL && dynamic->d_tag != tag) dynamic++;
  return dynamic->d_un.d_val;
}

/* The loader has made these pages read-only just now, and they are so again afterwards. */
static void protect(int protection) {
  const Elf64_Ehdr *header = (const void *)__ehdr_start;
  const Elf64_Phdr *segments = (const void *)(__ehdr_start + header->e_phoff);
  for (int i = 0; i < header->e_phnum; i++) {
    if (segments[i].p_type != PT_GNU_RELRO) continue;
    uint64_t start = segments[i].p_vaddr / PAGE * PAGE, end = (segments[i].p_vaddr + segments[i].p_memsz) / PAGE * PAGE;
    (void)mprotect(__ehdr_start + start, end - start, protection);
  }
}

void sasuka_relocate(void);
__attribute__((visibility("hidden"))) void sasuka_relocate(void) {
  const uint64_t base = (uint64_t)__ehdr_start;
  const uint64_t *packed = (const void *)(__ehdr_start + entry(PACKED));
  const uint64_t *end = packed + entry(PACKED_BYTES) / sizeof *packed;
  uint64_t *words = 0;
  protect(PROT_READ | PROT_WRITE);
  for (; packed < end; packed++) {
    if (*packed & 1) {
      for (int i = 0; i < 63; i++) {
        if (*packed >> (i + 1) & 1) words[i] += base;
      }
      words += 63;
    } else {
      words = (void *)(__ehdr_start + *packed);
      *words++ += base;
    }
  }
  protect(PROT_READ);
}
