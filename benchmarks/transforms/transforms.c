/* Ways to turn Philox words into normal deviates, for run.py to time and to compare.

The transforms under test are plain C on one deviate or one pair at a time: the compiler vectorises them, as it will in
the library. Two things are written by hand. The widening multiply of Philox, because gcc does not find the instruction
that every vector set has for it, and the cost of the words is part of every whole. And, at the end, the table lookup of
the inverse CDF, once more: compilers do not find the permutations that are its best case.

Everything is static memory of a fixed size, so that no alias and no remainder loop blurs the comparison. */
#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

enum { BLOCKS = 512, N = 4 * BLOCKS }; /* words, x and out together are 24 KiB: they stay in the first-level cache */
_Alignas(64) uint32_t words[N];
_Alignas(64) float x[N], out[N];
float strength;
uint32_t key[2], first_block;

#define INLINE static inline __attribute__((always_inline))

/* A transform has a loop; `name` stores its deviates and `name_whole` also draws the words and adds to x. */
#define KERNEL(name) \
    void name(void) { name##_loop(0); } \
    void name##_whole(void) { philox(); name##_loop(1); }

INLINE void put(int i, float z, int add) { out[i] = add ? x[i] + strength * z : z; }
INLINE uint32_t bits_of(float f) { uint32_t b; memcpy(&b, &f, 4); return b; }
INLINE float float_of(uint32_t b) { float f; memcpy(&f, &b, 4); return f; }

/* Every kernel runs often between two readings of the clock. The call through a pointer keeps all of them. */
void repeat(void (*kernel)(void), int times)
{
    for (int t = 0; t < times; t++, first_block += BLOCKS)
        kernel();
}

/* -- words: Philox4x32-10 on counters (block, 0, 0, 0) ----------------------------------------------------------- */

#define ROUND(PRODUCT, KEY0, KEY1) do { \
    PRODUCT p0 = MULTIPLY(c0, m0), p1 = MULTIPLY(c2, m1); \
    c0 = HIGH(p1) ^ c1 ^ KEY0, c1 = LOW(p1), c2 = HIGH(p0) ^ c3 ^ KEY1, c3 = LOW(p0); \
} while (0)

void philox_plain(void)
{
#define MULTIPLY(a, b) ((uint64_t)(a) * (b))
#define HIGH(p) ((uint32_t)((p) >> 32))
#define LOW(p) ((uint32_t)(p))
    const uint32_t m0 = 0xD2511F53, m1 = 0xCD9E8D57, key0 = key[0], key1 = key[1], first = first_block;
    for (uint32_t i = 0; i < BLOCKS; i++) {
        uint32_t c0 = first + i, c1 = 0, c2 = 0, c3 = 0;
        for (uint32_t r = 0; r < 10; r++)
            ROUND(uint64_t, (key0 + r * 0x9E3779B9), (key1 + r * 0xBB67AE85));
        words[4 * i] = c0, words[4 * i + 1] = c1, words[4 * i + 2] = c2, words[4 * i + 3] = c3;
    }
#undef MULTIPLY
#undef HIGH
#undef LOW
}

#if defined __AVX512F__
#define VECTOR 64
#define MULTIPLY(a, b) (Wide)_mm512_mul_epu32((__m512i)(a), (__m512i)(b))
#define FIRST_HALF {0, 8, 1, 9, 2, 10, 3, 11}
#define SECOND_HALF {4, 12, 5, 13, 6, 14, 7, 15}
#elif defined __AVX2__
#define VECTOR 32
#define MULTIPLY(a, b) (Wide)_mm256_mul_epu32((__m256i)(a), (__m256i)(b))
#define FIRST_HALF {0, 4, 1, 5}
#define SECOND_HALF {2, 6, 3, 7}
#elif defined __SSE2__
#define VECTOR 16
#define MULTIPLY(a, b) (Wide)_mm_mul_epu32((__m128i)(a), (__m128i)(b))
#define FIRST_HALF {0, 2}
#define SECOND_HALF {1, 3}
#endif

#ifndef VECTOR
void philox(void) { philox_plain(); }
#else
typedef uint64_t Wide __attribute__((vector_size(VECTOR), may_alias));

void philox(void)
{
    /* A word in each 64-bit lane; the multiply ignores the upper half, so that nothing has to clear it. */
#define HIGH(p) ((p) >> 32)
#define LOW(p) (p)
    enum { LANES = VECTOR / 8 };
    const Wide m0 = (Wide){0} + 0xD2511F53u, m1 = (Wide){0} + 0xCD9E8D57u, first_half = FIRST_HALF;
    Wide lane, key0[10], key1[10];
    for (int i = 0; i < LANES; i++)
        lane[i] = (uint64_t)i;
    for (uint32_t r = 0; r < 10; r++) {
        key0[r] = (Wide){0} + (uint32_t)(key[0] + r * 0x9E3779B9);
        key1[r] = (Wide){0} + (uint32_t)(key[1] + r * 0xBB67AE85);
    }
    for (uint32_t i = 0; i < BLOCKS; i += LANES) {
        Wide c0 = lane + (uint32_t)(first_block + i), c1 = {0}, c2 = {0}, c3 = {0};
#pragma GCC unroll 10
        for (int r = 0; r < 10; r++)
            ROUND(Wide, key0[r], key1[r]);
        Wide front = (c0 & UINT32_MAX) | c1 << 32, back = (c2 & UINT32_MAX) | c3 << 32;
        ((Wide *)words)[2 * i / LANES] = __builtin_shuffle(front, back, first_half);
        ((Wide *)words)[2 * i / LANES + 1] = __builtin_shuffle(front, back, (Wide)SECOND_HALF);
    }
}
#endif

/* -- Box-Muller with an integer angle: src/torchnoise/streams/normal.py, operation for operation ------------------ */

INLINE float ln(float v) /* of v / 2^32 */
{
    int32_t exponent = (int32_t)(bits_of(v) - 0x3F3504F3) >> 23;
    float f = float_of(bits_of(v) - ((uint32_t)exponent << 23)) - 1.0f, square = f * f;
    float p = f * 0.08918821066617966f + -0.1434965282678604f;
    p = p * f + 0.14876368641853333f;
    p = p * f + -0.1656569391489029f;
    p = p * f + 0.19965465366840363f;
    p = p * f + -0.2500174641609192f;
    p = p * f + 0.33333855867385864f;
    return (float)(exponent - 32) * 0.6931471824645996f + ((f - square * 0.5f) + (square * f) * p);
}

INLINE void box_muller_loop(int add)
{
    for (int i = 0; i < N; i += 2) {
        float power = ln((float)words[i] + 0.5f) * -2.0f, radius = sqrtf(power > 0.0f ? power : 0.0f);
        uint32_t quadrant = (words[i + 1] + (1u << 29)) >> 30;
        float t = (float)(int32_t)(words[i + 1] - (quadrant << 30)) * 0x1p-30f, s = t * t;
        float c = ((s * -0.020408352836966515f + 0.2535986304283142f) * s + -1.2336970567703247f) * s + 1.0f;
        float d = ((s * -0.004602177068591118f + 0.07968022674322128f) * s + -0.6459634900093079f) * s;
        d = t * (d + 1.5707963705062866f);
        float cosine = quadrant & 1 ? d : c, sine = quadrant & 1 ? c : d;
        put(i, radius * float_of(bits_of(cosine) ^ ((quadrant + 1) & 2) << 30), add);
        put(i + 1, radius * float_of(bits_of(sine) ^ (quadrant & 2) << 30), add);
    }
}
KERNEL(box_muller)

/* -- inverse CDF by a table: each octave of the tail probability has its own polynomial --------------------------- */

/* The low five bits of a float's exponent are the row, so that finding it costs one shift. Filled in by run.py; the
second copy has the coefficients of an octave side by side, for loads of four at a time. */
_Alignas(64) float table5[6][32], table3[4][32], rows5[32][8], rows3[32][8];

INLINE float icdf(uint32_t word, const float (*table)[32], int degree)
{
    uint32_t tail = bits_of((float)(int32_t)((word & 0x7FFFFFFF) | 1)), row = tail >> 23 & 31;
    float t = float_of((tail & 0x7FFFFF) | 0x3F800000) - 1.5f, z = table[degree][row];
    for (int j = degree - 1; j >= 0; j--)
        z = z * t + table[j][row];
    return float_of(bits_of(z) ^ (word & 0x80000000));
}

INLINE void icdf5_loop(int add) { for (int i = 0; i < N; i++) put(i, icdf(words[i], table5, 5), add); }
INLINE void icdf3_loop(int add) { for (int i = 0; i < N; i++) put(i, icdf(words[i], table3, 3), add); }
KERNEL(icdf5)
KERNEL(icdf3)

/* -- inverse CDF without a table: Giles, "Approximating the erfinv function", GPU Computing Gems 2 (2011) --------- */

INLINE void erfinv_loop(int add)
{
    static const float near[] = {1.50140941f, 0.246640727f, -0.00417768164f, -0.00125372503f, 0.00021858087f,
                                 -4.39150654e-06f, -3.5233877e-06f, 3.43273939e-07f, 2.81022636e-08f};
    static const float far[] = {2.83297682f, 1.00167406f, 0.00943887047f, -0.0076224613f, 0.00573950773f,
                                -0.00367342844f, 0.00134934322f, 0.000100950558f, -0.000200214257f};
    for (int i = 0; i < N; i++) {
        /* From the tail probability u = m / 2^32, and not from 1 - 2u, which would end at 5.4 sigma in float32. */
        float m = (float)(int32_t)((words[i] & 0x7FFFFFFF) | 1), rest = 1.0f - m * 0x1p-32f;
        float w = -ln(4.0f * m * rest), a = w - 2.5f, b = sqrtf(w > 0.0f ? w : 0.0f) - 3.0f;
        float p = near[8], q = far[8];
        for (int j = 7; j >= 0; j--)
            p = p * a + near[j], q = q * b + far[j];
        float z = (w < 5.0f ? p : q) * ((1.0f - m * 0x1p-31f) * 1.41421356f);
        put(i, float_of(bits_of(z) ^ (words[i] & 0x80000000)), add);
    }
}
KERNEL(erfinv)

/* -- the best case of the table: the same bits as icdf(), with the lookup by hand --------------------------------- */

#ifdef VECTOR
typedef float Floats __attribute__((vector_size(VECTOR), may_alias));
typedef uint32_t Ints __attribute__((vector_size(VECTOR), may_alias));
typedef int32_t Signed __attribute__((vector_size(VECTOR)));

#if defined __AVX512F__ /* one permutation of two registers is a table of 32 */
#define COEFFICIENT(j) _mm512_permutex2var_ps(_mm512_load_ps(table[j]), (__m512i)row, _mm512_load_ps(table[j] + 16))
#elif defined __AVX2__ /* four permutations of a register each; bits 3 and 4 of the row, made signs, choose */
#define EIGHT(j, k) _mm256_permutevar8x32_ps(_mm256_load_ps(table[j] + 8 * (k)), (__m256i)row)
#define SIXTEEN(j, k) _mm256_blendv_ps(EIGHT(j, k), EIGHT(j, k + 1), (__m256)(row << 28))
#define COEFFICIENT(j) _mm256_blendv_ps(SIXTEEN(j, 0), SIXTEEN(j, 2), (__m256)(row << 27))
#else /* no permutation of 32-bit lanes by a variable: load the rows of four octaves and transpose them */
#define COEFFICIENT(j) c[j]
INLINE void transpose(Ints row, Floats *c, const float (*rows)[8], int degree)
{
    const float *from[4];
    for (int k = 0; k < 4; k++)
        from[k] = rows[row[k] & 31], c[k] = _mm_load_ps(from[k]);
    _MM_TRANSPOSE4_PS(c[0], c[1], c[2], c[3]);
    if (degree == 5) {
#define PAIRS(k, l) _mm_loadh_pi(_mm_loadl_pi(_mm_setzero_ps(), (__m64 *)(from[k] + 4)), (__m64 *)(from[l] + 4))
        Floats front = PAIRS(0, 1), back = PAIRS(2, 3);
        c[4] = _mm_shuffle_ps(front, back, 0x88), c[5] = _mm_shuffle_ps(front, back, 0xDD);
    }
}
#endif

INLINE void by_hand(const float (*table)[32], const float (*rows)[8], int degree, int add)
{
    for (int i = 0; i < N; i += VECTOR / 4) {
        Ints word = *(const Ints *)(words + i);
        Ints tail = (Ints)__builtin_convertvector((Signed)((word & 0x7FFFFFFF) | 1), Floats), row = tail >> 23;
        Floats t = (Floats)((tail & 0x7FFFFF) | 0x3F800000) - 1.5f;
#ifdef __AVX2__
        (void)rows;
#else
        Floats c[6];
        (void)table, transpose(row, c, rows, degree);
#endif
        Floats z = COEFFICIENT(degree);
        for (int j = degree - 1; j >= 0; j--)
            z = z * t + COEFFICIENT(j);
        z = (Floats)((Ints)z ^ (word & 0x80000000));
        if (add)
            z = *(const Floats *)(x + i) + strength * z;
        *(Floats *)(out + i) = z;
    }
}

INLINE void icdf5_by_hand_loop(int add) { by_hand(table5, rows5, 5, add); }
INLINE void icdf3_by_hand_loop(int add) { by_hand(table3, rows3, 3, add); }
KERNEL(icdf5_by_hand)
KERNEL(icdf3_by_hand)
#endif
