#include <stddef.h>
#include <stdint.h>

#define RING_SIZE (1u << 8)
#define MASK(i)   ((i) & (RING_SIZE - 1))

struct ring {
	uint8_t  data[RING_SIZE];
	uint32_t head, tail;	/* head is written by the producer only */
};

static inline int ring_push(struct ring *r, uint8_t byte)
{
	if (r->head - r->tail == RING_SIZE)
		return -1;
	r->data[MASK(r->head++)] = byte;
	return 0;
}

size_t ring_drain(struct ring *restrict r, char *out, size_t n)
{
	size_t i = 0;

	for (; i < n && r->tail != r->head; i++)
		out[i] = (char)r->data[MASK(r->tail++)];
	return i;	// 0x00 .. 0xff, '\0' isn't special
}
