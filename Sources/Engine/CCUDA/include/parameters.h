// The kernels' arguments, one struct each: the host fills them, the kernels read them. Plain C for both.
#ifndef PCU_PARAMETERS_H
#define PCU_PARAMETERS_H

#ifdef PCU_KERNELS
#define PCU_POINTER(type) type *
#if PCU_BF16
typedef unsigned short pcu_value;  // bf16
#else
typedef float pcu_value;
#endif
#else
// In device memory, which the host never follows.
#define PCU_POINTER(type) unsigned long long
#endif

#define PCU_BLOCK 32         // tokens of a block of the key-value cache
#define PCU_LINES 64         // query lines (a row and a head) of a wide piece of attention
#define PCU_SPLIT_LINES 16   // and of a piece whose keys the warps split among them
#define PCU_THREADS 128      // of the attention's thread blocks
#define PCU_ROW_THREADS 256  // of the thread blocks that work on a row
#define PCU_PICK_THREADS 512
#define PCU_STRIDE 8  // decoding steps between two looks of the host

// A row of a step.
typedef struct {
  int position;
  int block;    // of the cache, where its keys and values go; -1: nowhere
  int mixture;  // index into the weights
} pcu_row;

// Consecutive rows of one sequence that attend together.
typedef struct {
  int row;
  int count;
  int position;  // of the first row
  int blocks;    // where the sequence's block numbers start
} pcu_piece;

typedef struct {
  PCU_POINTER(const int) tokens;
  PCU_POINTER(const pcu_value) table;  // [vocabulary, hidden]
  PCU_POINTER(float) x;                // [rows, hidden]
  int hidden;
} pcu_embed;

typedef struct {
  PCU_POINTER(const float) x;       // [rows, hidden]
  PCU_POINTER(const float) weight;  // [hidden]
  PCU_POINTER(pcu_value) out;       // [rows, hidden]; or
  PCU_POINTER(float) wide;          // the same in float32, where it is not 0
  int hidden;
  float epsilon;
} pcu_norm;

// Rotates queries and keys where they lie and puts keys and values into the cache.
typedef struct {
  PCU_POINTER(pcu_value) qkv;        // [rows, ld]: queries, keys, values
  PCU_POINTER(const float) cosines;  // [positions, HEAD / 2]
  PCU_POINTER(const float) sines;
  PCU_POINTER(const pcu_row) rows;
  PCU_POINTER(pcu_value) cache;  // the layer's part of block 0
  long long block_values;        // numbers of a block, all layers
  int ld;
  int heads;
  int kv_heads;
  int rotates_queries;
  int stores;  // keys and values
} pcu_rotate;

// out[row, head] = softmax(q K^T scale, causal) V.
typedef struct {
  PCU_POINTER(const pcu_value) q;  // [rows, ld]
  PCU_POINTER(pcu_value) out;      // [rows, heads * HEAD]
  PCU_POINTER(const pcu_value) cache;
  PCU_POINTER(const pcu_piece) pieces;
  PCU_POINTER(const int) blocks;
  long long block_values;
  int ld;
  int heads;
  int group;  // query heads that share a key-value head
  float scale;
} pcu_attend;

typedef struct {
  PCU_POINTER(const pcu_value) in;  // [rows, 2 * width]: gate, up
  PCU_POINTER(pcu_value) out;       // [rows, width]
  int width;
} pcu_swiglu;

// Weighs products with the bank's A by each row's mixture.
typedef struct {
  PCU_POINTER(const float) low;      // [rows, modules * slots * rank]
  PCU_POINTER(pcu_value) out;        // the same
  PCU_POINTER(const float) weights;  // [mixtures, layers, slots]
  PCU_POINTER(const pcu_row) rows;
  int modules;
  int slots;
  int rank;
  int layer;
  int layers;
  int factors;
} pcu_mix;

typedef struct {
  PCU_POINTER(const float) from;  // [rows, hidden]
  PCU_POINTER(float) to;
  PCU_POINTER(const int) sources;  // the row of `from` for each row of `to`
  int hidden;
} pcu_gather;

enum { PCU_GREEDY = 0, PCU_SAMPLE = 1, PCU_LOG_PROBABILITY = 2 };

typedef struct {
  double draw;  // uniform in [0, 1)
  int kind;
  int token;  // whose log-probability is wanted
  float temperature;
  float top_p;
} pcu_pick;

typedef struct {
  double value;
  int token;
  int sound;  // 0 where a logit is NaN or none is finite
} pcu_picked;

typedef struct {
  PCU_POINTER(const float) logits;  // [rows, vocabulary]
  PCU_POINTER(const pcu_pick) picks;
  PCU_POINTER(pcu_picked) picked;
  int vocabulary;
} pcu_choose;

// Makes what was chosen the rows of the next decoding step.
typedef struct {
  PCU_POINTER(const pcu_picked) picked;  // [rows]
  PCU_POINTER(pcu_picked) results;       // [steps, rows]
  PCU_POINTER(const double) draws;       // [steps, rows]
  PCU_POINTER(pcu_pick) picks;           // [rows]
  PCU_POINTER(int) tokens;               // [rows]
  PCU_POINTER(pcu_row) lines;            // [rows]
  PCU_POINTER(pcu_piece) pieces;         // [rows], a row each; of none where the row is idle
  PCU_POINTER(const int) blocks;
  PCU_POINTER(int) done;  // [rows], steps
  int rows;
} pcu_advance;

#endif
