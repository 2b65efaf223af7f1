/* See gone.h. */
#include "gone.h"

#include <string.h>

static struct {
    int node;
    int left; /* statements to go; 0: never gone */
    int after, lives;
    int gone;
} process;

void sim_gone_begin(int node, int number, int may_live)
{
    process.node = node;
    process.left = 1 + number / 2;
    process.after = number % 2;
    process.lives = may_live && number % 3 == 0;
    process.gone = 0;
}

sim_gone_e sim_gone_next(int node)
{
    if (process.node != node)
        return SIM_GONE_NOT;
    if (process.left && !--process.left) {
        process.gone = 1;
        return process.after ? SIM_GONE_AFTER : SIM_GONE_NOW;
    }
    return sim_gone_is(node) ? SIM_GONE_NOW : SIM_GONE_NOT;
}

int sim_gone_is(int node)
{
    return process.gone && !process.lives && process.node == node;
}

int sim_gone_mend(int node)
{
    int is_cut = process.gone && process.lives && process.node == node;

    if (is_cut)
        process.gone = 0;
    return is_cut;
}

int sim_gone_end(void)
{
    int gone = process.gone;

    memset(&process, 0, sizeof(process));
    return gone;
}
