import CKernels
import COpenBLAS
import Posix

/// Floating-point operations a second of the machine's BLAS in a large square product: what the hardware gives to
/// those who only ask, on all threads.
func sgemmRate(threads: Int, size: Int = 1536) -> Double {
    openblas_set_num_threads(Int32(threads))
    defer { openblas_set_num_threads(1) }
    let n = Int32(size)
    let a = [Float](repeating: 0.5, count: size * size)
    var c = [Float](repeating: 0, count: size * size)
    var best = Double.infinity
    for _ in 0..<4 {
        let start = MonotonicClock.seconds()
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, n, n, 1, a, n, a, n, 0, &c, n)
        best = min(best, MonotonicClock.seconds() - start)
    }
    return 2 * Double(size) * Double(size) * Double(size) / best
}

extension CPUBackend {
    /// The library of the large products, as it describes itself.
    public static var library: String { String(cString: openblas_get_config()) }

    /// The instruction set that the kernels run on, for people.
    public static var instructionSet: String {
        switch pk_current_isa() {
        case PK_AVX512: "AVX-512"
        case PK_AVX2: "AVX2"
        default: "no vector extension beyond the platform's own"
        }
    }
}
