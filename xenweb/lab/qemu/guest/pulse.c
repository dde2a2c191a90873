/* pulse: the lab's guest, a 32-bit multiboot program that proves a live migration from inside.
 *
 * It beats on the serial port, changes memory at a chosen rate, writes a counter to its disk, and looks
 * again and again at all the memory it ever wrote. A move that lost one page shows up as `damaged`, a move
 * that ran an old copy shows up as a beat out of order, a lost disk write as a hole in the disk's counters.
 *
 * Needs only QEMU's "pc" machine: PIT, PIC, COM1, PIIX4 ACPI, and an IDE disk when disk=1.
 *
 * Kernel command line, `name=number`:
 *   hz     timer interrupts a second (19..1000)              default 20
 *   beat   milliseconds between two beats                    default 50
 *   rate   pages changed a second                            default 0
 *   span   MiB of the working set, the pages that change     default 4
 *   fill   MiB of data that never changes                    default 0
 *   disk   1: write one counter a second to the first disk   default 0
 *   flush  1: the cure for QEMU < 9 without KVM (see forget_translations)
 *
 * Serial lines: `pulse <command line>` once, then `beat <number> <ticks> <pages changed> <disk counter> <damaged>`.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

/* --- the machine ------------------------------------------------------------------------------------------ */

static inline void outb(u16 port, u8 value) { __asm__ volatile("outb %0,%1" ::"a"(value), "Nd"(port)); }
static inline void outw(u16 port, u16 value) { __asm__ volatile("outw %0,%1" ::"a"(value), "Nd"(port)); }
static inline void outl(u16 port, u32 value) { __asm__ volatile("outl %0,%1" ::"a"(value), "Nd"(port)); }
static inline u8 inb(u16 port) { u8 value; __asm__ volatile("inb %1,%0" : "=a"(value) : "Nd"(port)); return value; }
static inline u16 inw(u16 port) { u16 value; __asm__ volatile("inw %1,%0" : "=a"(value) : "Nd"(port)); return value; }
static inline u32 inl(u16 port) { u32 value; __asm__ volatile("inl %1,%0" : "=a"(value) : "Nd"(port)); return value; }

enum { SERIAL = 0x3f8, IDE = 0x1f0, PIC1 = 0x20, PIC2 = 0xa0, PIT = 0x40, PCI_ADDRESS = 0xcf8, PCI_DATA = 0xcfc };
enum { PAGE = 4096, MIB = 1 << 20, PAGES_PER_MIB = 256, FIRST_FREE = 8 * MIB };

volatile u32 ticks; /* counted by the timer interrupt */
extern void on_timer(void), on_other(void);

__asm__(
    ".section .multiboot,\"a\"\n .align 4\n .long 0x1BADB002, 0x3, -(0x1BADB002 + 0x3)\n"
    ".text\n"
    ".globl _start\n_start: cli\n mov $stack_top, %esp\n lgdt gdt_pointer\n ljmp $8, $1f\n"
    "1: mov $16, %ax\n mov %ax, %ds\n mov %ax, %es\n mov %ax, %ss\n mov %ax, %fs\n mov %ax, %gs\n"
    " push %ebx\n call guest_main\n"
    ".globl on_timer\non_timer: push %eax\n incl ticks\n mov $0x20, %al\n outb %al, $0x20\n pop %eax\n iret\n"
    ".globl on_other\non_other: push %eax\n mov $0x20, %al\n outb %al, $0xa0\n outb %al, $0x20\n pop %eax\n iret\n"
    ".data\n .align 8\ngdt: .quad 0, 0x00CF9A000000FFFF, 0x00CF92000000FFFF\n"
    "gdt_pointer: .word 23\n .long gdt\n"
    ".bss\n .align 16\n .skip 16384\nstack_top:\n"
    ".text\n");

struct gate { u16 low, selector; u8 zero, type; u16 high; } __attribute__((packed));
static struct gate idt[256];
static struct { u16 limit; u32 base; } __attribute__((packed)) idt_pointer;

static void interrupts_start(u32 hz) {
  for (int i = 0; i < 256; i++) {
    u32 handler = (u32)(i == 32 ? on_timer : on_other);
    idt[i] = (struct gate){handler, 8, 0, 0x8e, handler >> 16};
  }
  idt_pointer.limit = sizeof idt - 1;
  idt_pointer.base = (u32)idt;
  __asm__ volatile("lidt %0" ::"m"(idt_pointer));
  /* Both controllers at vectors 32 and 40, everything masked but the timer. */
  outb(PIC1, 0x11); outb(PIC2, 0x11); outb(PIC1 + 1, 32); outb(PIC2 + 1, 40);
  outb(PIC1 + 1, 4); outb(PIC2 + 1, 2); outb(PIC1 + 1, 1); outb(PIC2 + 1, 1);
  outb(PIC1 + 1, 0xfe); outb(PIC2 + 1, 0xff);
  u32 divisor = 1193182 / hz;
  outb(PIT + 3, 0x34); outb(PIT, divisor); outb(PIT, divisor >> 8);
  __asm__ volatile("sti");
}

/* QEMU before 9.0, without KVM, does not re-arm its write tracking when it reads the dirty bitmap: a page whose
 * translation it still holds can be written without being sent again. Toggling CR0.WP makes it drop every
 * translation, so that the next write to each page is seen. */
static u32 flush;
static inline void forget_translations(void) {
  u32 cr0;
  if (flush) __asm__ volatile("mov %%cr0, %0\n xor $0x10000, %0\n mov %0, %%cr0" : "=r"(cr0)::"memory");
}

/* --- words in and out ------------------------------------------------------------------------------------- */

static void serial_start(void) {
  outb(SERIAL + 1, 0); outb(SERIAL + 3, 0x80); outb(SERIAL, 1); outb(SERIAL + 1, 0);
  outb(SERIAL + 3, 3); outb(SERIAL + 2, 7); outb(SERIAL + 4, 3);
}
static void say_char(char c) { while (!(inb(SERIAL + 5) & 0x20)) {} outb(SERIAL, c); }
static void say(const char *text) { while (*text) say_char(*text++); }
static void say_number(u32 number) {
  char digits[11];
  int i = 10;
  digits[i] = 0;
  do { digits[--i] = '0' + number % 10; number /= 10; } while (number);
  say(digits + i);
}

static u32 argument(const char *line, const char *name, u32 otherwise) {
  for (; *line; line++) {
    const char *a = line, *b = name;
    while (*b && *a == *b) { a++; b++; }
    if (*b || *a != '=') continue;
    u32 number = 0;
    for (a++; *a >= '0' && *a <= '9'; a++) number = number * 10 + (*a - '0');
    return number;
  }
  return otherwise;
}

/* --- memory: a working set that changes, and a filling that must not ------------------------------------------ */

static u32 changed, damaged;          /* pages changed since the start; pages found in a state nobody wrote */
static u32 span_pages, span_cursor;   /* the working set, from FIRST_FREE on */
static u32 fill_pages, fill_cursor;   /* the filling, right behind it */

static u32 *page_at(u32 index) { return (u32 *)(FIRST_FREE + index * PAGE); }
static u32 word_of(u32 index, u32 word) { return (index * 1024 + word) * 2654435761u | 1; }

/* The working set is written in order, so what a page held before is known: one full sweep ago. */
static void change_pages(u32 count, int first_sweep) {
  for (u32 i = 0; i < count && span_pages; i++) {
    volatile u32 *page = page_at(span_cursor);
    u32 expected = changed + 1 - span_pages;
    if (!(i & 15)) forget_translations();
    if (!first_sweep && (page[0] != expected || page[1023] != ~expected)) damaged++;
    changed++;
    page[0] = changed;
    page[512] = changed * 2654435761u;
    page[1023] = ~changed;
    if (++span_cursor >= span_pages) span_cursor = 0;
  }
}

static void fill_memory(void) {
  for (u32 p = span_pages; p < span_pages + fill_pages; p++)
    for (u32 w = 0; w < 1024; w++) page_at(p)[w] = word_of(p, w);
}
static void look_at_filling(u32 count) {
  while (count-- && fill_pages) {
    u32 p = span_pages + fill_cursor, w = changed & 1023;
    if (((volatile u32 *)page_at(p))[w] != word_of(p, w)) damaged++;
    if (++fill_cursor >= fill_pages) fill_cursor = 0;
  }
}

static void memory_start(const char *line, u32 top) {
  u32 free_pages = top > FIRST_FREE ? (top - FIRST_FREE) / PAGE : 0;
  span_pages = argument(line, "span", 4) * PAGES_PER_MIB;
  if (span_pages > free_pages) span_pages = free_pages;
  fill_pages = argument(line, "fill", 0) * PAGES_PER_MIB;
  if (fill_pages > free_pages - span_pages) fill_pages = free_pages - span_pages;
  change_pages(span_pages, 1);
  fill_memory();
}

/* --- disk: one counter a second, kept in a ring of sectors ----------------------------------------------------- */

enum { RING = 1024 };
static u32 disk_counter;

static int disk_waits_for(u8 mask, u8 value) {
  for (u32 i = 0; i < 2000000; i++) if ((inb(IDE + 7) & mask) == value) return 1;
  return 0;
}
static int disk_write(u32 counter) {
  static u32 sector[128];
  u32 block = 1 + counter % RING;
  const void *from = sector;
  u32 words = 256;
  sector[0] = 0x534c5550; /* "PULS" */
  sector[1] = counter;
  sector[2] = ticks;
  sector[3] = ~counter;
  if (!disk_waits_for(0x80, 0)) return 0;
  outb(IDE + 6, 0xe0); outb(IDE + 2, 1);
  outb(IDE + 3, block); outb(IDE + 4, block >> 8); outb(IDE + 5, block >> 16); outb(IDE + 7, 0x30);
  if (!disk_waits_for(0x88, 0x08)) return 0;
  __asm__ volatile("cld\n rep outsw" : "+S"(from), "+c"(words) : "d"((u16)IDE) : "memory");
  return disk_waits_for(0x80, 0) && !(inb(IDE + 7) & 1);
}

/* --- power ------------------------------------------------------------------------------------------------ */

static u16 power_port; /* PIIX4 power management, 0 when the firmware set none */

static void power_start(void) {
  outl(PCI_ADDRESS, 0x80000000 | 0x0b00 | 0x40); /* device 1, function 3, PMBASE */
  power_port = inl(PCI_DATA) & 0xffc0;
  if (power_port) outw(power_port + 2, 0x100);   /* let the power button be seen */
}
static void obey_power_button(void) {
  if (!power_port || !(inw(power_port) & 0x100)) return;
  outw(power_port, 0x100);
  say("off\n");
  outw(power_port + 4, 0x2000);
  for (;;) __asm__("cli; hlt");
}

/* --- the life of the guest ----------------------------------------------------------------------------------- */

static void beat(u32 number) {
  say("beat "); say_number(number);
  say_char(' '); say_number(ticks);
  say_char(' '); say_number(changed);
  say_char(' '); say_number(disk_counter);
  say_char(' '); say_number(damaged);
  say_char('\n');
}

static void live(u32 hz, u32 beat_ms, u32 rate, u32 disk) {
  u32 last = ticks, last_beat = ticks, last_disk = ticks, owed = 0, beats = 0;
  for (;;) {
    __asm__ volatile("hlt");
    u32 now = ticks, passed = now - last;
    if (!passed) continue;
    last = now;
    forget_translations();
    owed += passed * rate;
    change_pages(owed / hz, 0);
    owed %= hz;
    look_at_filling(64);
    if ((now - last_beat) * 1000 >= beat_ms * hz) { last_beat = now; beat(++beats); }
    if (disk && now - last_disk >= hz) { last_disk = now; if (disk_write(disk_counter + 1)) disk_counter++; }
    obey_power_button();
  }
}

void guest_main(const u32 *multiboot) {
  const char *line = (multiboot[0] & 4) ? (const char *)multiboot[4] : "";
  u32 hz = argument(line, "hz", 20);
  if (hz < 19) hz = 19; /* the timer's divisor has 16 bits */
  flush = argument(line, "flush", 0);
  serial_start();
  say("pulse "); say(line); say_char('\n');
  power_start();
  memory_start(line, MIB + multiboot[2] * 1024);
  interrupts_start(hz);
  live(hz, argument(line, "beat", 50), argument(line, "rate", 0), argument(line, "disk", 0));
}
