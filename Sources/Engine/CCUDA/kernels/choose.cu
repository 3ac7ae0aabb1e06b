// What is wanted of each row's logits: a thread block a row. Sums run in one fixed order, so a row gets the same choice
// in any company.

// Numbers in the order of their logits, so that bits can be searched instead of values.
DEVICE unsigned ordered(float value) {
  unsigned bits = __float_as_uint(value);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

struct Row {
  const float *logits;
  int count;
  float top;
  float temperature;
  double *places;

  DEVICE_MEMBER float weight(float logit) const { return expf((logit - top) / temperature); }

  // Sum of the weights of logits at or above `least` in the order of their bits.
  DEVICE_MEMBER double mass(unsigned least) const {
    double sum = 0;
    for (int i = threadIdx.x; i < count; i += PCU_PICK_THREADS) {
      if (ordered(logits[i]) >= least) sum += weight(logits[i]);
    }
    return over_block(sum, places, PCU_PICK_THREADS, [](double a, double b) { return a + b; });
  }

  // The largest bits at or above which more than `mass` lies; 0 where there are none.
  DEVICE_MEMBER unsigned threshold(double bound) const {
    unsigned found = 0;
    for (unsigned bit = 0x80000000u; bit != 0; bit >>= 1) {
      if (mass(found | bit) > bound) found |= bit;
    }
    return found;
  }

  // How many logits have these very bits.
  DEVICE_MEMBER int ties(unsigned bits) const {
    double sum = 0;
    for (int i = threadIdx.x; i < count; i += PCU_PICK_THREADS) sum += ordered(logits[i]) == bits;
    return static_cast<int>(over_block(sum, places, PCU_PICK_THREADS, [](double a, double b) { return a + b; }));
  }
};

// The token at `draw` of the mass of the smallest set with more than top_p of the probability, likeliest first, equal
// ones in the order of their ids.
DEVICE int sample(const Row &row, float top_p, double draw) {
  double total = row.mass(0);
  // The last of the nucleus lies among the ties at this threshold: the mass before it is within top_p.
  unsigned edge = row.threshold(top_p * total);
  int edge_ties = row.ties(edge);
  double above = edge == 0xffffffffu ? 0.0 : row.mass(edge + 1);
  double all = row.mass(edge);
  double nucleus = all;
  if (edge_ties > 0) {
    double each = (all - above) / edge_ties;
    double fit = each > 0 ? floor((top_p * total - above) / each) + 1 : edge_ties;
    nucleus = above + each * (fit < edge_ties ? fit : edge_ties);
  }
  unsigned chosen = row.threshold(draw * nucleus);
  if (chosen < edge) chosen = edge;
  int ties = row.ties(chosen);
  double before = chosen == 0xffffffffu ? 0.0 : row.mass(chosen + 1);
  double each = ties > 0 ? (row.mass(chosen) - before) / ties : 0.0;
  double place = each > 0 ? floor((draw * nucleus - before) / each) : 0.0;
  int rank = place < 0 ? 0 : place >= ties ? ties - 1 : static_cast<int>(place);
  // The rank-th of the ties by id: they are few, and one thread finds it.
  int token = -1;
  if (threadIdx.x == 0) {
    for (int i = 0; i < row.count && token < 0; i++) {
      if (ordered(row.logits[i]) == chosen && rank-- == 0) token = i;
    }
  }
  return token;
}

KERNEL(pcu_choose_rows, pcu_choose, PCU_PICK_THREADS) {
  SHARED(double, places);
  const float *logits = p.logits + static_cast<long long>(blockIdx.x) * p.vocabulary;
  pcu_pick pick = p.picks[blockIdx.x];
  float most = NEGATIVE_INFINITY;
  int best = -1;
  bool sound = true;
  for (int i = threadIdx.x; i < p.vocabulary; i += PCU_PICK_THREADS) {
    float value = logits[i];
    sound = sound && value == value;
    if (value > most) {
      most = value;
      best = i;
    }
  }
  float top = static_cast<float>(
      over_block(static_cast<double>(most), places, PCU_PICK_THREADS, [](double a, double b) { return a > b ? a : b; }));
  double unsound =
      over_block(sound ? 0.0 : 1.0, places, PCU_PICK_THREADS, [](double a, double b) { return a + b; });
  // The first of equal ones.
  double first = over_block(best >= 0 && most == top ? static_cast<double>(best) : 4e9, places, PCU_PICK_THREADS,
                            [](double a, double b) { return a < b ? a : b; });
  pcu_picked picked;
  picked.value = 0;
  picked.token = static_cast<int>(first < 4e9 ? first : -1.0);
  picked.sound = unsound == 0 && first < 4e9 && top - top == 0;
  if (picked.sound && pick.kind == PCU_SAMPLE && pick.temperature > 0) {
    Row row = {logits, p.vocabulary, top, pick.temperature, places};
    picked.token = sample(row, pick.top_p, pick.draw);
  }
  if (picked.sound && pick.kind == PCU_LOG_PROBABILITY) {
    double sum = 0;
    for (int i = threadIdx.x; i < p.vocabulary; i += PCU_PICK_THREADS) {
      sum += exp(static_cast<double>(logits[i]) - top);
    }
    sum = over_block(sum, places, PCU_PICK_THREADS, [](double a, double b) { return a + b; });
    picked.value = static_cast<double>(logits[pick.token]) - (top + log(sum));
  }
  if (threadIdx.x == 0) p.picked[blockIdx.x] = picked;
}
