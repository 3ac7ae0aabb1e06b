// What is wanted of each row's logits: a thread block a row. Sums run in one fixed order, so a row gets the same choice
// in any company.

// Numbers in the order of their logits, so that bits can be searched instead of values.
DEVICE unsigned ordered(float value) {
  unsigned bits = __float_as_uint(value);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

// Masses of logits with as many bits as a number and 1, 2 and 3 steps, or more. Aligned for the widest loads.
struct alignas(16) Masses {
  double at[3];
};

// Of the logits with some bits and those above them.
struct alignas(16) Level {
  double above;  // the mass above
  double all;    // and with them
  double ties;   // how many have these very bits
  double first;  // the least id of those; 4e9 where there are none
};

struct Row {
  const float *logits;
  int count;
  float top;
  float temperature;
  void *places;  // a Level for each thread

  DEVICE_MEMBER float weight(float logit) const { return expf((logit - top) / temperature); }

  // Gives `take` this thread's ids and logits in their order; several are under way before the first one is looked at.
  template <typename Take> DEVICE_MEMBER void each(Take take) const {
    const int several = 8;
    for (int first = threadIdx.x; first < count; first += several * PCU_PICK_THREADS) {
      float ahead[several];
      UNROLL for (int j = 0; j < several; j++) {
        int i = first + j * PCU_PICK_THREADS;
        ahead[j] = i < count ? logits[i] : 0.0f;
      }
      UNROLL for (int j = 0; j < several; j++) {
        int i = first + j * PCU_PICK_THREADS;
        if (i < count) take(i, ahead[j]);
      }
    }
  }

  // The largest bits at or above which more than `bound` lies, the weights being summed in the order of their ids; 0 where
  // there are none. Two bits a look: what lies at or above a number falls as the number grows, rounding included.
  DEVICE_MEMBER unsigned threshold(double bound) const {
    unsigned found = 0;
    for (int shift = 30; shift >= 0; shift -= 2) {
      unsigned step = 1u << shift;
      Masses masses = {{0, 0, 0}};
      each([&](int, float logit) {
        unsigned bits = ordered(logit);
        if (bits < found + step) return;
        double mass = weight(logit);
        masses.at[0] += mass;
        if (bits >= found + 2 * step) masses.at[1] += mass;
        if (bits >= found + 3 * step) masses.at[2] += mass;
      });
      masses = over_block(masses, static_cast<Masses *>(places), PCU_PICK_THREADS, [](Masses a, Masses b) {
        return Masses{{a.at[0] + b.at[0], a.at[1] + b.at[1], a.at[2] + b.at[2]}};
      });
      UNROLL for (int i = 0; i < 3; i++) found += masses.at[i] > bound ? step : 0;
    }
    return found;
  }

  DEVICE_MEMBER Level level(unsigned at) const {
    Level level = {0, 0, 0, 4e9};
    each([&](int i, float logit) {
      unsigned bits = ordered(logit);
      if (bits < at) return;
      double mass = weight(logit);
      level.all += mass;
      if (bits > at) {
        level.above += mass;
      } else {
        level.first = level.ties == 0 ? i : level.first;
        level.ties += 1;
      }
    });
    return over_block(level, static_cast<Level *>(places), PCU_PICK_THREADS, [](Level a, Level b) {
      return Level{a.above + b.above, a.all + b.all, a.ties + b.ties, a.first < b.first ? a.first : b.first};
    });
  }
};

// The token at `draw` of the mass of the smallest set with more than top_p of the probability, likeliest first, equal
// ones in the order of their ids.
DEVICE int sample(const Row &row, float top_p, double draw) {
  double total = row.level(0).all;
  // The last of the nucleus lies among the ties at this threshold: the mass before it is within top_p.
  unsigned edge = row.threshold(top_p * total);
  Level last = row.level(edge);
  double nucleus = last.all;
  if (last.ties > 0) {
    double each = (last.all - last.above) / last.ties;
    double fit = each > 0 ? floor((top_p * total - last.above) / each) + 1 : last.ties;
    nucleus = last.above + each * (fit < last.ties ? fit : last.ties);
  }
  unsigned chosen = row.threshold(draw * nucleus);
  if (chosen < edge) chosen = edge;
  Level level = row.level(chosen);
  double each = level.ties > 0 ? (level.all - level.above) / level.ties : 0.0;
  double place = each > 0 ? floor((draw * nucleus - level.above) / each) : 0.0;
  double rank = place < 0 ? 0 : place >= level.ties ? level.ties - 1 : place;
  // The rank-th of the ties by id: nearly always the only one; others are few, and one thread finds it.
  int token = level.ties > 0 ? static_cast<int>(level.first) : -1;
  if (threadIdx.x == 0 && rank > 0) {
    for (int i = token + 1; i < row.count && rank > 0; i++) {
      if (ordered(row.logits[i]) == chosen && --rank == 0) token = i;
    }
  }
  return token;
}

KERNEL(pcu_choose_rows, pcu_choose, PCU_PICK_THREADS) {
  SHARED(double, places);  // four a thread
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
