import CKernels
import COpenBLAS
import Posix

/// The library of the search's, the merge's and `primed bench`'s large products.
public enum BLAS {
    /// Keeps every product on the thread that asks for it, in the whole process.
    ///
    /// The last bits of a product differ by the number of threads, which the library takes from the CPUs that it may use,
    /// and a job must give the same bytes on all of them; beside it, the engine has threads of its own.
    public static func useOneThread() { openblas_set_num_threads(1) }

    /// Names the kernels that it has chosen for this processor; others round differently.
    public static var kernels: String { String(cString: openblas_get_corename()) }

    /// The library, as it describes itself.
    public static var library: String { String(cString: openblas_get_config()) }
}

/// Floating-point operations a second of the machine's BLAS in a large square product: what the hardware gives to
/// those who only ask, on all threads.
func sgemmRate(threads: Int, size: Int = 1536) -> Double {
    openblas_set_num_threads(Int32(threads))
    defer { BLAS.useOneThread() }
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
    /// The instruction set that the kernels run on, for people.
    public static var instructionSet: String {
        switch pk_current_isa() {
        case PK_AVX512: "AVX-512"
        case PK_AVX2: "AVX2"
        default: "no vector extension beyond the platform's own"
        }
    }
}
