import CKernels
import Testing

@testable import Compute

@Suite("Attention over the block cache")
struct AttentionTests {
    struct Case: CustomTestStringConvertible {
        let d: Int, group: Int, rows: Int, first: Int
        var testDescription: String { "heads of \(d), \(group) a key head, \(rows) rows at \(first)" }
    }
    static let cases = [
        Case(d: 32, group: 3, rows: 100, first: 74), Case(d: 32, group: 3, rows: 1, first: 173),
        Case(d: 64, group: 1, rows: 33, first: 0), Case(d: 128, group: 4, rows: 9, first: 31),
        Case(d: 10, group: 1, rows: 1, first: 0), Case(d: 36, group: 13, rows: 5, first: 29),
        Case(d: 8, group: 2, rows: 20, first: 1100),
    ]

    /// A cache with other heads' and layers' numbers around this one's, blocks in no order.
    private struct Cache {
        let d: Int
        let keys: [[Float]]
        let values: [[Float]]
        let blocks: [Int32]
        let stride: Int
        let keyOffset = 64
        let valueOffset: Int
        var memory: [Float]

        init(d: Int, positions: Int, numbers: inout Numbers) {
            self.d = d
            keys = (0..<positions).map { _ in numbers.array(d, scale: 2) }
            values = (0..<positions).map { _ in numbers.array(d) }
            let count = (positions + 31) / 32
            // Distinct, and in no order.
            blocks = (0..<count).map { Int32(($0 * (count + 6) + 3) % (count + 7)) }
            let wide = (d + 31) / 32 * 32
            valueOffset = keyOffset + d * 32 + 32
            stride = valueOffset + wide * 32 + 16
            // Numbers nobody wrote must not reach a result.
            memory = [Float](repeating: .nan, count: stride * (count + 7))
            for position in 0..<positions {
                let block = Int(blocks[position / 32]) * stride
                let (keyOffset, valueOffset) = (keyOffset, valueOffset)
                memory.withUnsafeMutableBufferPointer {
                    let start = $0.baseAddress! + block
                    pk_store_key(start + keyOffset, Int64(d), Int64(position % 32), keys[position])
                    pk_store_value(start + valueOffset, Int64(d), Int64(position % 32), values[position])
                }
            }
        }

        func attend(_ q: [Float], group: Int, rows: Int, first: Int) -> [Float] {
            let width = group * d + 6
            var out = [Float](repeating: 0, count: rows * width)
            var scratch = [Float](
                repeating: .nan, count: Int(pk_attend_scratch(Int64(first + rows), Int64(d))))
            q.withUnsafeBufferPointer { q in
                out.withUnsafeMutableBufferPointer { out in
                    memory.withUnsafeBufferPointer { memory in
                        blocks.withUnsafeBufferPointer { blocks in
                            pk_attend(
                                pk_attention(
                                    q: q.baseAddress, out: out.baseAddress, ldq: Int64(width), ldo: Int64(width),
                                    rows: Int64(rows), first: Int64(first), group: Int64(group), d: Int64(d),
                                    cache: memory.baseAddress, blocks: blocks.baseAddress, stride: Int64(stride),
                                    key_offset: Int64(keyOffset), value_offset: Int64(valueOffset),
                                    scale: 1 / Float(d).squareRoot()), &scratch)
                        }
                    }
                }
            }
            return out
        }
    }

    @Test("Each row sees its own past and nothing else", arguments: cases)
    func attention(_ item: Case) {
        let (d, group, rows, first) = (item.d, item.group, item.rows, item.first)
        var numbers = Numbers(d * rows)
        let cache = Cache(d: d, positions: first + rows, numbers: &numbers)
        let width = group * d + 6
        let q = numbers.array(rows * width, scale: 2)
        for set in instructionSets {
            let found = with(set) { cache.attend(q, group: group, rows: rows, first: first) }
            for row in 0..<rows {
                for head in 0..<group {
                    let at = row * width + head * d
                    let past = first + row + 1
                    let expected = Reference.attend(
                        Array(q[at..<at + d]), Array(cache.keys.prefix(past)), Array(cache.values.prefix(past)),
                        scale: 1 / Float(d).squareRoot())
                    #expect(relativeDifference(Array(found[at..<at + d]), expected) < 1e-5)
                }
            }
        }
    }

    @Test("Rows one by one give the bits of rows together")
    func alone() {
        var numbers = Numbers(77)
        let (d, group, rows, first) = (32, 3, 70, 10)
        let cache = Cache(d: d, positions: first + rows, numbers: &numbers)
        let width = group * d + 6
        let q = numbers.array(rows * width, scale: 2)
        for set in instructionSets {
            with(set) {
                let all = cache.attend(q, group: group, rows: rows, first: first)
                for row in 0..<rows {
                    let one = cache.attend(
                        Array(q[row * width..<(row + 1) * width]), group: group, rows: 1, first: first + row)
                    #expect(one[0..<group * d] == all[row * width..<row * width + group * d])
                }
            }
        }
    }
}

@Suite("Choosing and running")
struct ChoiceTests {
    @Test("The first of equal largest logits; nothing from numbers that are none")
    func argmax() {
        func choice(_ x: [Float]) -> Int64 { pk_argmax(x, Int64(x.count)) }
        #expect(choice([1, 3, 3, 2]) == 1)
        #expect(choice([-5]) == 0)
        #expect(choice([-.infinity, -1]) == 1)
        #expect(choice([1, .nan, 2]) == -1)
        #expect(choice([1, .infinity]) == -1)
        #expect(choice([-.infinity, -.infinity]) == -1)
        var numbers = Numbers(1)
        let x = numbers.array(4099)
        #expect(choice(x) == Int64(x.indices.first { x[$0] == x.max()! }!))
    }

    @Test("log sum exp", arguments: [1, 33, 4096])
    func logSumExp(_ n: Int) {
        var numbers = Numbers(n)
        let x = numbers.array(n, scale: 80)
        #expect(abs(pk_log_sum_exp(x, Int64(n)) - Reference.logSumExp(x)) < 1e-9)
    }

    @Test("A pool does every index once, on lanes of its own", arguments: [1, 2, 5])
    func pool(_ threads: Int) {
        let pool = ThreadPool(threads: threads)
        for count in [0, 1, 2, 1000] {
            let marks = Marks(count: count, lanes: threads)
            pool.run(count) { index, lane in marks.mark(index, lane) }
            #expect(marks.seen.allSatisfy { $0 == 1 })
            #expect(marks.lanes.reduce(0, +) == count)
        }
    }

    /// Indices write their own places, lanes their own counters: nothing is shared.
    private final class Marks: @unchecked Sendable {
        private let memory: UnsafeMutablePointer<Int>
        private let count: Int
        private let laneCount: Int

        init(count: Int, lanes: Int) {
            (self.count, laneCount) = (count, lanes)
            memory = .allocate(capacity: count + lanes)
            memory.initialize(repeating: 0, count: count + lanes)
        }

        deinit { memory.deallocate() }

        func mark(_ index: Int, _ lane: Int) {
            memory[index] += 1
            memory[count + lane] += 1
        }

        var seen: [Int] { (0..<count).map { memory[$0] } }
        var lanes: [Int] { (0..<laneCount).map { memory[count + $0] } }
    }
}
