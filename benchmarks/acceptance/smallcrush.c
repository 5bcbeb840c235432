/* TestU01's SmallCrush on 32-bit words from standard input; prints a name and a p-value a line, tab between.

   gcc -O2 smallcrush.c -I PREFIX/include -L PREFIX/lib -ltestu01 -lprobdist -lmylib -lm

   L'Ecuyer, Simard, "TestU01: A C library for empirical testing of random number generators", ACM TOMS 33 (2007). */

#include <stdio.h>
#include <stdlib.h>

#include "bbattery.h"
#include "swrite.h"
#include "unif01.h"

static unsigned int words[1 << 16];
static size_t next, have;

static unsigned int word(void) {
    if (next == have) {
        have = fread(words, sizeof *words, sizeof words / sizeof *words, stdin);
        next = 0;
        if (have == 0) {
            fprintf(stderr, "not enough words\n");
            exit(1);
        }
    }
    return words[next++];
}

int main(void) {
    swrite_Basic = FALSE;
    unif01_Gen *words_in = unif01_CreateExternGenBits("words", word);
    bbattery_SmallCrush(words_in);
    for (int i = 0; i < bbattery_NTests; i++)
        printf("p-value\t%s\t%.17g\n", bbattery_TestNames[i], bbattery_pVal[i]);
    return 0;
}
