import CKernels
import Testing

@testable import Compute

@Suite("Kernels against double precision", .serialized)
struct KernelTests {
    struct Shape: CustomTestStringConvertible {
        let rows: Int, n: Int, k: Int
        var testDescription: String { "\(rows) x \(n) x \(k)" }
    }
    static let shapes = [
        Shape(rows: 1, n: 1, k: 1), Shape(rows: 1, n: 33, k: 70), Shape(rows: 3, n: 320, k: 192),
        Shape(rows: 12, n: 64, k: 31), Shape(rows: 13, n: 65, k: 17), Shape(rows: 97, n: 100, k: 129),
        Shape(rows: 30, n: 31, k: 512),
    ]

    @Test("Products: any rows, any columns, f32 and bf16, stored and added", arguments: shapes, [false, true])
    func product(_ shape: Shape, bf16: Bool) {
        let (rows, n, k) = (shape.rows, shape.n, shape.k)
        var numbers = Numbers(rows * 1000 + n)
        let x = numbers.array(rows * (k + 5))  // rows lie further apart than they are long
        let w = numbers.array(n * k).map { bf16 ? truncated($0) : $0 }
        let dense = columns(x, stride: k + 5, 0..<k)
        let expected = Reference.product(dense, w, rows: rows, n: n, k: k)
        let packed = Packed(w, n: n, k: k, bf16: bf16)
        for set in instructionSets {
            with(set) {
                for accumulate in [false, true] {
                    let before: Float = accumulate ? 0.5 : .nan
                    var y = [Float](repeating: before, count: rows * (n + 3))
                    packed.withMatrix {
                        pk_matmul(x, Int64(k + 5), Int64(rows), $0, 0, Int64(n), &y, Int64(n + 3), accumulate)
                    }
                    let found = columns(y, stride: n + 3, 0..<n)
                    #expect(relativeDifference(found, expected.map { $0 + (accumulate ? 0.5 : 0) }) < 1e-5)
                    // What lies beside the columns is not touched.
                    let beside = columns(y, stride: n + 3, n..<n + 3)
                    #expect(beside.allSatisfy { $0.bitPattern == before.bitPattern })
                }
            }
        }
    }

    @Test("A product's columns may be taken in parts, its rows in any company: the same bits")
    func productParts() {
        let (rows, n, k) = (37, 200, 75)
        var numbers = Numbers(5)
        let x = numbers.array(rows * k)
        let packed = Packed(numbers.array(n * k), n: n, k: k, bf16: false)
        for set in instructionSets {
            with(set) {
                packed.withMatrix { matrix in
                    var whole = [Float](repeating: 0, count: rows * n)
                    pk_matmul(x, Int64(k), Int64(rows), matrix, 0, Int64(n), &whole, Int64(n), false)
                    var part = [Float](repeating: 0, count: rows * 72)
                    pk_matmul(x, Int64(k), Int64(rows), matrix, 128, 200, &part, 72, false)
                    #expect(part == columns(whole, stride: n, 128..<200))
                    for row in 0..<rows {
                        var alone = [Float](repeating: 0, count: n)
                        pk_matmul(
                            Array(x[row * k..<row * k + k]), Int64(k), 1, matrix, 0, Int64(n), &alone, Int64(n), false)
                        #expect(alone == Array(whole[row * n..<row * n + n]))
                    }
                }
            }
        }
    }

    @Test("Parts packed one after the other read back as embeddings", arguments: [false, true])
    func packing(bf16: Bool) {
        let (first, second, k) = (64, 33, 19)
        var numbers = Numbers(9)
        let w = numbers.array((first + second) * k).map { bf16 ? truncated($0) : $0 }
        var panels = [UInt8](repeating: 0, count: Int(pk_packed_bytes(Int64(first + second), Int64(k), bf16)))
        let source = bf16 ? w.map { UInt16($0.bitPattern >> 16) }.bytes : w.bytes
        let size = bf16 ? 2 : 4
        // Nothing is aligned: a mapped file promises nothing.
        ([0] + source).withUnsafeBytes {
            pk_pack($0.baseAddress! + 1, bf16, Int64(first), Int64(k), &panels, bf16, 0)
            pk_pack(
                $0.baseAddress! + 1 + first * k * size, bf16, Int64(second), Int64(k), &panels, bf16, Int64(first))
        }
        panels.withUnsafeBytes { panels in
            let matrix = pk_matrix(panels: panels.baseAddress, n: Int64(first + second), k: Int64(k), bf16: bf16)
            for row in 0..<first + second {
                var y = [Float](repeating: 0, count: k)
                pk_embed(matrix, Int64(row), &y)
                #expect(y == Array(w[row * k..<row * k + k]))
            }
        }
    }

    @Test("RMS norm", arguments: [1, 7, 16, 48, 192, 250])
    func norm(_ n: Int) {
        let rows = 3
        var numbers = Numbers(n)
        let x = numbers.array(rows * (n + 4), scale: 20)
        let weight = numbers.array(n)
        for set in instructionSets {
            with(set) {
                var y = [Float](repeating: 0, count: rows * (n + 2))
                pk_rms_norm(x, Int64(n + 4), Int64(rows), Int64(n), weight, 1e-5, &y, Int64(n + 2))
                for row in 0..<rows {
                    let source = Array(x[row * (n + 4)..<row * (n + 4) + n])
                    let expected = Reference.rmsNorm(source, weight, epsilon: 1e-5)
                    #expect(relativeDifference(Array(y[row * (n + 2)..<row * (n + 2) + n]), expected) < 1e-6)
                }
            }
        }
    }

    @Test("SwiGLU over its whole range, beside or in place", arguments: [1, 15, 16, 100, 512])
    func swiglu(_ n: Int) {
        let rows = 3
        let wide = (n + 15) / 16 * 32
        var numbers = Numbers(n)
        let x = numbers.array(rows * wide, scale: 120)
        let expected = (0..<rows * n).map { at in
            let start = at / n * wide + at % n / 16 * 32 + at % n % 16
            return Reference.silu(Double(x[start])) * Double(x[start + 16])
        }
        for set in instructionSets {
            with(set) {
                var beside = [Float](repeating: 0, count: rows * n)
                pk_swiglu(x, Int64(wide), Int64(rows), Int64(n), &beside, Int64(n))
                for (found, expected) in zip(beside, expected) {
                    #expect(abs(Double(found) - expected) <= 1e-6 * abs(expected) + 1e-30)
                }
                var within = x
                within.withUnsafeMutableBufferPointer {
                    pk_swiglu($0.baseAddress, Int64(wide), Int64(rows), Int64(n), $0.baseAddress, Int64(wide))
                }
                #expect(columns(within, stride: wide, 0..<n) == beside)
            }
        }
    }

    @Test("A gated product is its two halves' products, then the gate", arguments: [1, 16, 40, 100], [false, true])
    func gatedProduct(_ n: Int, bf16: Bool) {
        let (rows, k) = (29, 50)
        var numbers = Numbers(n)
        let x = numbers.array(rows * k)
        let weights = (0..<2).map { _ in numbers.array(n * k).map { bf16 ? truncated($0) : $0 } }
        let halves = weights.map { Reference.product(x, $0, rows: rows, n: n, k: k) }
        let expected = zip(halves[0], halves[1]).map { Reference.silu($0) * $1 }
        let bytes = weights.map { bf16 ? $0.map { UInt16($0.bitPattern >> 16) }.bytes : $0.bytes }
        let matrix = bytes[0].withUnsafeBytes { gate in
            bytes[1].withUnsafeBytes { up in
                PackedMatrix(
                    gate: MatrixPart(bytes: gate, isBF16: bf16, rows: n),
                    up: MatrixPart(bytes: up, isBF16: bf16, rows: n), rows: n, width: k, keepBF16: true)
            }
        }
        #expect(matrix.isBF16 == bf16)
        for set in instructionSets {
            with(set) {
                var found = [Float](repeating: .nan, count: rows * (n + 3))
                pk_matmul_swiglu(x, Int64(k), Int64(rows), matrix.raw, Int64(n), &found, Int64(n + 3))
                #expect(relativeDifference(columns(found, stride: n + 3, 0..<n), expected) < 1e-5)
                let beside = columns(found, stride: n + 3, n..<n + 3)
                #expect(beside.allSatisfy { $0.isNaN })
            }
        }
    }

    @Test("Packed numbers by their inputs", arguments: [1, 32, 33, 96, 100])
    func byInput(_ n: Int) {
        let k = 7
        var numbers = Numbers(n)
        let values = numbers.array(n * k)
        let matrix = values.withUnsafeBytes {
            PackedMatrix([MatrixPart(bytes: $0, isBF16: false, rows: n)], width: k, keepBF16: true)
        }
        #expect(matrix.byInput() == (0..<n * k).map { values[$0 % n * k + $0 / n] })
    }

    @Test("Rotation of every head by halves", arguments: [2, 10, 36, 64, 128])
    func rope(_ d: Int) {
        let heads = 3
        var numbers = Numbers(d)
        let x = numbers.array(heads * d)
        let angles = numbers.array(d / 2, scale: 3)
        let cosines = angles.map { Float(cosine(Double($0))) }
        let sines = angles.map { Float(sine(Double($0))) }
        var found = x
        pk_rope(&found, Int64(heads), Int64(d), cosines, sines)
        for head in 0..<heads {
            let expected = Reference.rotate(Array(x[head * d..<head * d + d]), cosines, sines)
            #expect(relativeDifference(Array(found[head * d..<head * d + d]), expected) < 1e-6)
        }
    }

    @Test("Both merges weigh a bank's rows")
    func mix() {
        let (modules, slots, rank) = (3, 4, 5)
        var numbers = Numbers(3)
        let x = numbers.array(modules * slots * rank)
        let weights = numbers.array(slots)
        for factors in [false, true] {
            var found = x
            pk_mix(&found, Int64(modules), Int64(slots), Int64(rank), weights, factors)
            let expected = x.indices.map { at -> Double in
                let (module, slot, j) = (at / (slots * rank), at / rank % slots, at % rank)
                guard factors else { return Double(x[at]) * Double(weights[slot]) }
                let h = (0..<slots).reduce(0.0) {
                    $0 + Double(weights[$1]) * Double(x[(module * slots + $1) * rank + j])
                }
                return Double(weights[slot]) * h
            }
            #expect(relativeDifference(found, expected) < 1e-6)
        }
    }
}
