import CKernels

/// What each kernel means, in double precision and the plainest form.
enum Reference {
    /// y [rows, n] = x [rows, k] w^T, w [n, k].
    static func product(_ x: [Float], _ w: [Float], rows: Int, n: Int, k: Int) -> [Double] {
        (0..<rows * n).map { at in
            (0..<k).reduce(0.0) { $0 + Double(x[at / n * k + $1]) * Double(w[at % n * k + $1]) }
        }
    }

    static func rmsNorm(_ x: [Float], _ weight: [Float], epsilon: Float) -> [Double] {
        let squares = x.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(x.count)
        return zip(x, weight).map { Double($0) / (squares + Double(epsilon)).squareRoot() * Double($1) }
    }

    static func silu(_ x: Double) -> Double { x / (1 + exponential(-x)) }

    /// One head's rotation by half-split pairs.
    static func rotate(_ x: [Float], _ cosines: [Float], _ sines: [Float]) -> [Double] {
        let half = x.count / 2
        return x.indices.map { i in
            let (a, b) = (Double(x[i % half]), Double(x[i % half + half]))
            let (c, s) = (Double(cosines[i % half]), Double(sines[i % half]))
            return i < half ? a * c - b * s : b * c + a * s
        }
    }

    /// softmax(scale q K^T) V for one query over `keys` and `values`.
    static func attend(_ q: [Float], _ keys: [[Float]], _ values: [[Float]], scale: Float) -> [Double] {
        let scores = keys.map { key in zip(q, key).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } * Double(scale) }
        let top = scores.max() ?? 0
        let masses = scores.map { exponential($0 - top) }
        let total = masses.reduce(0, +)
        return q.indices.map { i in zip(masses, values).reduce(0.0) { $0 + $1.0 * Double($1.1[i]) } / total }
    }

    static func logSumExp(_ x: [Float]) -> Double {
        let top = Double(x.max() ?? 0)
        return top + logarithm(x.reduce(0.0) { $0 + exponential(Double($1) - top) })
    }
}

/// Numbers that are the same in every run.
struct Numbers {
    private var state: UInt64

    init(_ seed: Int) { state = UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 &+ 1 }

    /// In [-1, 1).
    mutating func next() -> Float {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(Int32(truncatingIfNeeded: state >> 32)) * 0x1p-31
    }

    mutating func array(_ count: Int, scale: Float = 1) -> [Float] { (0..<count).map { _ in next() * scale } }
}

/// The largest difference, measured against the largest expected value; infinite where there is a NaN, which `max` passes over.
func relativeDifference(_ found: [Float], _ expected: [Double]) -> Double {
    precondition(found.count == expected.count)
    let size = expected.reduce(1e-30) { max($0, abs($1)) }
    let differences = zip(found, expected).map { abs(Double($0) - $1) / size }
    return differences.contains(where: \.isNaN) ? .infinity : differences.max() ?? 0
}

/// A weight in the kernels' panels, as float32 or bf16.
struct Packed {
    let panels: [UInt8]
    let n: Int
    let k: Int
    let bf16: Bool

    init(_ w: [Float], n: Int, k: Int, bf16: Bool) {
        (self.n, self.k, self.bf16) = (n, k, bf16)
        var panels = [UInt8](repeating: 0, count: Int(pk_packed_bytes(Int64(n), Int64(k), bf16)))
        let source = bf16 ? w.map { UInt16($0.bitPattern >> 16) }.bytes : w.bytes
        pk_pack(source, bf16, Int64(n), Int64(k), &panels, bf16, 0)
        self.panels = panels
    }

    func withMatrix<R>(_ body: (pk_matrix) -> R) -> R {
        panels.withUnsafeBytes { body(pk_matrix(panels: $0.baseAddress, n: Int64(n), k: Int64(k), bf16: bf16)) }
    }
}

extension Array {
    var bytes: [UInt8] { withUnsafeBytes { Array<UInt8>($0) } }
}

/// As bf16 keeps it.
func truncated(_ x: Float) -> Float { Float(bitPattern: x.bitPattern & 0xffff_0000) }

/// The instruction sets of this machine.
let instructionSets: [pk_isa] = [PK_GENERIC, PK_AVX2, PK_AVX512].filter {
    defer { pk_restrict_isa(PK_AVX512) }
    return pk_restrict_isa($0) == $0
}

func with<R>(_ set: pk_isa, _ body: () -> R) -> R {
    pk_restrict_isa(set)
    defer { pk_restrict_isa(PK_AVX512) }
    return body()
}

/// Columns `range` of rows that are `stride` long.
func columns(_ x: [Float], stride: Int, _ range: Range<Int>) -> [Float] {
    var found: [Float] = []
    for start in Swift.stride(from: 0, to: x.count, by: stride) {
        found += x[(start + range.lowerBound)..<(start + range.upperBound)]
    }
    return found
}
