import COpenBLAS

/// A sum of weighted LoRA pairs of one site, as one product b a.
struct LowRankProduct {
    let input: Int
    let out: Int
    /// Rows of a, one after another; read by columns it is `[input, rank]`, as LAPACK wants it.
    private var a: [Double] = []
    /// Columns of b, one after another.
    private var b: [Double] = []
    private var rank = 0
    /// What rounding in double precision can leave where parts cancel.
    private var noise = 0.0

    /// The same product in factors that are as thin as it allows.
    struct Components {
        let rank: Int
        /// `[rank, input]`
        let a: [Float]
        /// `[rank, out]`
        let b: [Float]
    }

    init(input: Int, out: Int) {
        self.input = input
        self.out = out
    }

    mutating func add(_ pair: LowRankPair, weight: Float) {
        let factor = Double(weight) * Double(pair.scale)
        let (low, high) = (pair.b.floats(), pair.a.floats())
        a += high.map(Double.init)
        for column in 0..<pair.rank {
            for row in 0..<out { b.append(factor * Double(low[row * pair.rank + column])) }
        }
        rank += pair.rank
        func squares(_ values: [Float]) -> Double { values.reduce(0) { $0 + Double($1) * Double($1) } }
        noise += abs(factor) * (squares(low) * squares(high)).squareRoot() * 1e-14
    }

    /// The product by its singular vectors: every row of a and every column of b is a mixture of all that was added, so
    /// that no sharer's own factors can be read off, and the product is the same up to float32's rounding.
    ///
    /// b a = (Qb Rb)(Qa Ra)^T = Qb (Rb Ra^T) Qa^T, and only the small matrix in the middle needs an SVD. Components below
    /// a billionth of the largest are less than the rounding of the rest and are left out; the largest number of each
    /// row of a is made positive, so that the signs do not depend on the library.
    func components() throws(LAPACKError) -> Components {
        guard rank > 0 else { return Components(rank: 0, a: [], b: []) }
        guard b.allSatisfy(\.isFinite) else { return unfactored }
        let left = try ThinQR(b, rows: out, columns: rank)
        let right = try ThinQR(a, rows: input, columns: rank)
        let core = multiply(left.r, left.rank, rank, right.r, right.rank, transposed: true)
        let svd = try ThinSVD(core, rows: left.rank, columns: right.rank)
        var u = svd.u
        let least = max((svd.values.first ?? 0) * 1e-9, noise)
        let kept = svd.values.prefix { $0 > least }.count
        guard kept > 0 else { return Components(rank: 0, a: [], b: []) }
        // Rows of v are the components; as columns they multiply Qa.
        var rows = [Double](repeating: 0, count: right.rank * kept)
        for component in 0..<kept {
            let half = svd.values[component].squareRoot()
            for index in 0..<right.rank {
                rows[component * right.rank + index] = half * svd.v[index * svd.values.count + component]
            }
            for index in 0..<left.rank { u[component * left.rank + index] *= half }
        }
        var thinA = multiply(right.q, input, right.rank, rows, kept, transposed: false)
        var thinB = multiply(left.q, out, left.rank, u, kept, transposed: false)
        for component in 0..<kept {
            let row = component * input..<(component + 1) * input
            let peak = thinA[row].max { abs($0) < abs($1) }!
            guard peak < 0 else { continue }
            for index in row { thinA[index].negate() }
            for index in component * out..<(component + 1) * out { thinB[index].negate() }
        }
        return Components(rank: kept, a: thinA.map(Float.init), b: thinB.map(Float.init))
    }

    /// What was added, side by side: where infinite weights leave no singular values. The writer refuses the result, and it
    /// never stands for finite numbers, of which it would show the sharers' own factors.
    private var unfactored: Components { Components(rank: rank, a: a.map(Float.init), b: b.map(Float.init)) }
}

/// A routine of LAPACK that did not do its work: what it left behind is no result.
struct LAPACKError: Error {
    let routine: String
    let status: Int32

    /// Whether there was no memory for the routine's own numbers.
    var lacksMemory: Bool { status == LAPACK_WORK_MEMORY_ERROR || status == LAPACK_TRANSPOSE_MEMORY_ERROR }

    static func check(_ status: Int32, _ routine: String) throws(LAPACKError) {
        guard status == 0 else { throw LAPACKError(routine: routine, status: status) }
    }
}

/// A matrix `[rows, columns]`, column-major, as u `[rows, n]` times its `n` singular values times v `[n, columns]`.
struct ThinSVD {
    /// From the largest down.
    var values: [Double]
    var u: [Double]
    var v: [Double]

    init(_ matrix: [Double], rows: Int, columns: Int) throws(LAPACKError) {
        let width = min(rows, columns)
        var matrix = matrix
        values = [Double](repeating: 0, count: width)
        u = [Double](repeating: 0, count: rows * width)
        v = [Double](repeating: 0, count: width * columns)
        var rest = [Double](repeating: 0, count: width)
        let kind = Int8(UInt8(ascii: "S"))
        try LAPACKError.check(
            LAPACKE_dgesvd(
                LAPACK_COL_MAJOR, kind, kind, Int32(rows), Int32(columns), &matrix, Int32(rows), &values, &u,
                Int32(rows),
                &v, Int32(width), &rest), "dgesvd")
    }
}

/// A tall matrix, column-major, as an orthonormal `[rows, rank]` times an upper `[rank, columns]`.
struct ThinQR {
    let rank: Int
    var q: [Double]
    var r: [Double]

    init(_ matrix: [Double], rows: Int, columns: Int) throws(LAPACKError) {
        rank = min(rows, columns)
        q = matrix
        var reflectors = [Double](repeating: 0, count: rank)
        try LAPACKError.check(
            LAPACKE_dgeqrf(LAPACK_COL_MAJOR, Int32(rows), Int32(columns), &q, Int32(rows), &reflectors), "dgeqrf")
        r = [Double](repeating: 0, count: rank * columns)
        for column in 0..<columns {
            for row in 0...min(column, rank - 1) { r[column * rank + row] = q[column * rows + row] }
        }
        try LAPACKError.check(
            LAPACKE_dorgqr(LAPACK_COL_MAJOR, Int32(rows), Int32(rank), Int32(rank), &q, Int32(rows), reflectors),
            "dorgqr")
        q.removeLast((columns - rank) * rows)
    }
}

/// `left` [rows, inner] times `right` [inner, columns] or, transposed, [columns, inner]; all column-major.
private func multiply(
    _ left: [Double], _ rows: Int, _ inner: Int, _ right: [Double], _ columns: Int, transposed: Bool
) -> [Double] {
    var product = [Double](repeating: 0, count: rows * columns)
    cblas_dgemm(
        CblasColMajor, CblasNoTrans, transposed ? CblasTrans : CblasNoTrans, Int32(rows), Int32(columns), Int32(inner),
        1,
        left, Int32(rows), right, Int32(transposed ? columns : inner), 0, &product, Int32(rows))
    return product
}
