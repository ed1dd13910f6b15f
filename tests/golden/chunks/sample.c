/* A stack. */
#include <stdio.h>

#define STACK_MAX 10
#define SQUARE(x) ((x) * (x))

typedef unsigned int uint;

enum color { RED, GREEN };

/* A node. */
struct node {
    int value;
    struct node *next;
};

typedef struct {
    struct node *top;
} stack;

union number {
    int i;
    float f;
};

int push(stack *s, int value);

// Counts.
static uint
count(const stack *s)
{
    uint n = 0;
    for (struct node *each = s->top; each; each = each->next)
        n++;
    return n;
}

#ifdef DEBUG
char *describe(void) {
    return "debug";
}
#endif

static int (*handler)(int) = NULL;
