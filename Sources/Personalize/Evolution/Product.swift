import COpenBLAS

enum Transposed {
    case neither, left, right
}

/// A B of row-major matrices.
///
/// - Parameters:
///   - a: [rows, inner], or [inner, rows] where `left` is transposed.
///   - b: [inner, columns], or [columns, inner] where `right` is transposed.
/// - Returns: [rows, columns].
func product(_ a: [Double], _ b: [Double], inner: Int, transposed: Transposed = .neither) -> [Double] {
    let rows = a.count / inner
    let columns = b.count / inner
    var out = [Double](repeating: 0, count: rows * columns)
    cblas_dgemm(
        CblasRowMajor, transposed == .left ? CblasTrans : CblasNoTrans,
        transposed == .right ? CblasTrans : CblasNoTrans,
        Int32(rows), Int32(columns), Int32(inner), 1, a, Int32(transposed == .left ? rows : inner),
        b, Int32(transposed == .right ? inner : columns), 0, &out, Int32(columns))
    return out
}
