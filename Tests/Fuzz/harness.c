// libFuzzer's end of the fuzzed readers, and mutators that know what plain mutation is blind to: JSON's values, the length
// in front of a safetensors header, the lengths inside a protocol buffer, the parts of an input of several files.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int32_t fuzz_reader(const char *name);
void fuzz_read(int32_t reader, const uint8_t *data, intptr_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t limit);

static int32_t reader = -1;
static const char *name = "";

// --reader=NAME, which libFuzzer itself passes over.
int LLVMFuzzerInitialize(int *count, char ***arguments) {
    for (int index = 1; index < *count; index++)
        if (strncmp((*arguments)[index], "--reader=", 9) == 0) name = (*arguments)[index] + 9;
    reader = fuzz_reader(name);
    if (reader < 0) {
        fprintf(stderr, "no reader called '%s'\n", name);
        exit(2);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_read(reader, data, (intptr_t)size);
    return 0;
}

static uint32_t state;
static uint32_t next(uint32_t below) {
    state = state * 1664525 + 1013904223;
    return below ? (state >> 8) % below : 0;
}

static size_t plain(uint8_t *data, size_t size, size_t limit) {
    return limit == 0 ? 0 : LLVMFuzzerMutate(data, size, limit);
}

// The end of the JSON value that begins at `at`: brackets are balanced, words and numbers end at a separator.
static size_t value_end(const uint8_t *data, size_t size, size_t at) {
    int depth = 0;
    for (; at < size; at++) {
        uint8_t byte = data[at];
        if (byte == '"') {
            for (at++; at < size && data[at] != '"'; at++)
                if (data[at] == '\\') at++;
            if (at >= size) return size;
            if (depth == 0) return at + 1;
        } else if (byte == '{' || byte == '[') depth++;
        else if (byte == '}' || byte == ']') {
            if (depth == 0) return at;
            if (--depth == 0) return at + 1;
        } else if (depth == 0 && (byte == ',' || byte == ':' || byte == ' ' || byte == '\n')) return at;
    }
    return size;
}

// Where a value (or a key) begins, chosen at random.
static size_t some_value(const uint8_t *data, size_t size) {
    size_t chosen = size;
    uint32_t seen = 0;
    for (size_t at = 0; at < size;) {
        uint8_t byte = data[at];
        if (byte == '{' || byte == '[' || byte > ' ') {
            if (strchr("}],:", byte) == NULL && next(++seen) == 0) chosen = at;
            if (byte == '{' || byte == '[' || strchr("}],:", byte) != NULL) at++;
            else at = value_end(data, size, at);
        } else at++;
    }
    return chosen;
}

// Mutates JSON by whole values: one takes another's place, a stock value does, one is doubled, or dropped with its comma.
static size_t json(uint8_t *data, size_t size, size_t limit) {
    static const char *const stock[] = {
        "0", "-0", "-1", "1", "0.5", "1e999", "1e-999", "4096", "65536", "16777216", "2147483648", "4294967296",
        "9223372036854775807", "-9223372036854775808", "18446744073709551616", "null", "true", "false", "\"\"", "[]", "{}",
        "\"\\u0000\"", "\"\\u009b2J\"", "\"../x\"", "\"x.y\"", "[[]]", "[0,0]", "{\"\":0}",
    };
    if (next(3) == 0) return plain(data, size, limit);
    size_t start = some_value(data, size);
    if (start == size) return plain(data, size, limit);
    size_t end = value_end(data, size, start), count, from;
    const uint8_t *source;
    switch (next(4)) {
    case 0:
        source = (const uint8_t *)stock[next(sizeof stock / sizeof *stock)];
        count = strlen((const char *)source);
        break;
    case 1:
        from = some_value(data, size);
        source = data + from;
        count = value_end(data, size, from) - from;
        break;
    case 2: // once more behind itself, with what stands between two values
        source = data + start;
        count = end - start;
        if (size + count + 1 > limit) return size;
        memmove(data + end + 1 + count, data + end, size - end);
        data[end] = next(4) ? ',' : ':';
        memmove(data + end + 1, source, count);
        return size + count + 1;
    default:
        if (end < size && (data[end] == ',' || data[end] == ':')) end++;
        memmove(data + start, data + end, size - end);
        return size - (end - start);
    }
    if (size - (end - start) + count > limit) return size;
    uint8_t *copy = malloc(count + 1);
    memcpy(copy, source, count);
    memmove(data + start + count, data + end, size - end);
    memcpy(data + start, copy, count);
    free(copy);
    return size - (end - start) + count;
}

// Mutates a safetensors file's header or numbers and makes the length fit again, most of the time.
static size_t safetensors(uint8_t *data, size_t size, size_t limit) {
    uint64_t length = 0;
    if (size >= 8) memcpy(&length, data, 8);
    if (size < 8 || length > size - 8 || next(16) == 0) return plain(data, size, limit);
    size_t start = 8 + (size_t)length, numbers = size - start;
    if (next(4) == 0) return start + plain(data + start, numbers, limit - start);
    // The header grows or shrinks in a place of its own, the numbers stay as they are.
    size_t room = limit - 8 - numbers;
    uint8_t *header = malloc(room + 1);
    memcpy(header, data + 8, length);
    size_t changed = json(header, length, room);
    memmove(data + 8 + changed, data + start, numbers);
    memcpy(data + 8, header, changed);
    free(header);
    uint64_t fitting = changed;
    memcpy(data, &fitting, 8);
    return 8 + changed + numbers;
}

static size_t varint(const uint8_t *data, size_t size, uint64_t *value) {
    *value = 0;
    for (size_t index = 0; index < size && index < 10; index++) {
        *value |= (uint64_t)(data[index] & 0x7f) << (7 * index);
        if (data[index] < 0x80) return index + 1;
    }
    return 0;
}

// The bytes of the field at `data`, with where its contents begin; 0 if it is none.
static size_t field(const uint8_t *data, size_t size, size_t *contents, int *kind) {
    uint64_t key, value;
    size_t at = varint(data, size, &key);
    *kind = (int)(key & 7);
    if (at == 0) return 0;
    *contents = at;
    switch (*kind) {
    case 0: {
        size_t count = varint(data + at, size - at, &value);
        return count == 0 ? 0 : at + count;
    }
    case 1: return size - at < 8 ? 0 : at + 8;
    case 5: return size - at < 4 ? 0 : at + 4;
    case 2: {
        size_t count = varint(data + at, size - at, &value);
        if (count == 0 || value > size - at - count) return 0;
        *contents = at + count;
        return at + count + (size_t)value;
    }
    default: return 0;
    }
}

// Mutates one field of a message: copies it, drops it, or mutates its contents and makes the length fit.
static size_t message(uint8_t *data, size_t size, size_t limit, int depth) {
    size_t starts[256], count = 0, contents = 0;
    int kind = 0;
    for (size_t at = 0; at < size;) {
        size_t length = field(data + at, size - at, &contents, &kind);
        if (length == 0) break;
        // A later field takes the place of an earlier one at random, so that every field has its turn.
        if (count < 256) starts[count++] = at;
        else if (next(2)) starts[next(256)] = at;
        at += length;
    }
    if (count == 0 || next(8) == 0) return plain(data, size, limit);
    size_t start = starts[next((uint32_t)count)];
    size_t length = field(data + start, size - start, &contents, &kind), rest = size - start - length;
    switch (next(6)) {
    case 0:
        memmove(data + start, data + start + length, rest);
        return size - length;
    case 1:
        if (size + length > limit) return size;
        memmove(data + start + length, data + start, length + rest);
        return size + length;
    default: break;
    }
    if (kind != 2) {
        size_t changed = plain(data + start + contents, length - contents, length - contents);
        memmove(data + start + contents + changed, data + start + length, rest);
        return size - length + contents + changed;
    }
    // Tag and length of up to five bytes each stand before the contents.
    size_t old = length - contents, tag = 1;
    while (data[start + tag - 1] >= 0x80) tag++;
    if (limit < size + 10) return plain(data, size, limit);
    size_t room = old + limit - size - 10;
    uint8_t *inside = malloc(room + 1);
    memcpy(inside, data + start + contents, old);
    size_t changed = depth < 2 && next(2) ? message(inside, old, room, depth + 1) : plain(inside, old, room);
    uint8_t prefix[10];
    size_t digits = 0;
    for (uint64_t value = changed;; value >>= 7) {
        prefix[digits++] = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        if (value <= 0x7f) break;
    }
    memmove(data + start + tag + digits + changed, data + start + length, rest);
    memcpy(data + start + tag, prefix, digits);
    memcpy(data + start + tag + digits, inside, changed);
    free(inside);
    return start + tag + digits + changed + rest;
}

typedef size_t mutator(uint8_t *, size_t, size_t);

// Mutates one of the parts that NULs divide an input into; `last` knows the last of `count` parts.
static size_t parts(uint8_t *data, size_t size, size_t limit, int count, mutator *last) {
    size_t starts[4] = {0};
    int found = 1;
    for (size_t at = 0; at < size && found < count; at++)
        if (data[at] == 0) starts[found++] = at + 1;
    int chosen = (int)next((uint32_t)found);
    size_t start = starts[chosen], end = chosen + 1 < found ? starts[chosen + 1] - 1 : size, rest = size - end;
    size_t room = limit - start - rest;
    uint8_t *part = malloc(room + 1);
    memcpy(part, data + start, end - start);
    mutator *mutate = chosen + 1 == count ? last : json;
    size_t changed = mutate(part, end - start, room);
    memmove(data + start + changed, data + end, rest);
    memcpy(data + start, part, changed);
    free(part);
    return start + changed + rest;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t limit, unsigned seed) {
    state = seed;
    if (size > limit) size = limit;
    if (strcmp(name, "safetensors") == 0) return safetensors(data, size, limit);
    if (strcmp(name, "sentencepiece") == 0) return message(data, size, limit, 0);
    if (strcmp(name, "config") == 0) return parts(data, size, limit, 3, json);
    if (strcmp(name, "adapter") == 0) return parts(data, size, limit, 2, safetensors);
    return json(data, size, limit);
}
