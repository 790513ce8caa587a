// netdelay: a two-port "wire" with delay, jitter and loss, for kernels without sch_netem (and the same on all of them).
// usage: netdelay IF_A IF_B DELAY_MS [JITTER_MS [LOSS_PERCENT]]
// Copies every frame seen on IF_A to IF_B and back, each direction held DELAY_MS (+ up to JITTER_MS,
// never reordering). Says `up` once it does. Offloaded (GSO, partial-checksum) frames pass through via PACKET_VNET_HDR.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#define MAXF (65536 + 256)
#define MAXQ (64L << 20)  // bytes held per direction; beyond that, drop as a full router would
struct pkt { struct pkt *next; uint64_t due; int len; unsigned char data[]; };
struct dir { int in, out; struct pkt *head, *tail; long bytes; uint64_t last; };
static uint64_t now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000000000ull + t.tv_nsec; }
static int port(const char *name) {
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, big = 32 << 20;
  struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = if_nametoindex(name)};
  if (fd < 0 || !a.sll_ifindex) { fprintf(stderr, "netdelay: %s: %s\n", name, strerror(errno)); exit(1); }
  if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one)) { perror("netdelay"); exit(1); }
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big); setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof big);
  if (bind(fd, (struct sockaddr *)&a, sizeof a)) { perror("netdelay: bind"); exit(1); }
  return fd;
}
int main(int argc, char **argv) {
  if (argc < 4) { fprintf(stderr, "usage: netdelay IF_A IF_B DELAY_MS [JITTER_MS [LOSS_PERCENT]]\n"); return 2; }
  uint64_t delay = atof(argv[3]) * 1e6, jitter = argc > 4 ? atof(argv[4]) * 1e6 : 0; double loss = argc > 5 ? atof(argv[5]) / 100 : 0;
  int a = port(argv[1]), b = port(argv[2]); static unsigned char buf[MAXF];
  struct dir d[2] = {{.in = a, .out = b}, {.in = b, .out = a}};
  puts("up"); fflush(stdout);
  for (;;) {
    uint64_t t = now(), next = UINT64_MAX;
    for (int i = 0; i < 2; i++) {
      while (d[i].head && d[i].head->due <= t) {
        struct pkt *p = d[i].head;
        if (send(d[i].out, p->data, p->len, 0) < 0 && errno == EAGAIN) { p->due = t + 200000; break; }  // ENOBUFS: the shaper's queue is full, dropped
        d[i].head = p->next; if (!d[i].head) d[i].tail = NULL; d[i].bytes -= p->len; free(p);
      }
      if (d[i].head && d[i].head->due < next) next = d[i].head->due;
    }
    struct pollfd f[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
    struct timespec w = {0}; t = now(); if (next != UINT64_MAX && next > t) { w.tv_sec = (next - t) / 1000000000; w.tv_nsec = (next - t) % 1000000000; }
    if (ppoll(f, 2, next == UINT64_MAX ? NULL : &w, NULL) < 0 && errno != EINTR) { perror("netdelay: poll"); return 1; }
    for (int i = 0; i < 2; i++) for (int k = 0; k < 256; k++) {
      int n = recv(d[i].in, buf, sizeof buf, 0);
      if (n <= 0) { if (n < 0 && errno != EAGAIN && errno != ENETDOWN) return 0; break; }
      if (d[i].bytes > MAXQ || (loss > 0 && drand48() < loss)) continue;
      struct pkt *p = malloc(sizeof *p + n); p->next = NULL; p->len = n; memcpy(p->data, buf, n);
      p->due = now() + delay + (jitter ? (uint64_t)(drand48() * jitter) : 0); if (p->due < d[i].last) p->due = d[i].last; d[i].last = p->due;
      if (d[i].tail) d[i].tail->next = p; else d[i].head = p; d[i].tail = p; d[i].bytes += n;
    }
  }
}
