import CCUDA
import Glibc

/// NVIDIA's libraries as this machine has them, opened at run time.
public struct CUDALibraries: @unchecked Sendable {
    /// What is looked for.
    public enum Library: String, CaseIterable, Sendable {
        case driver = "libcuda"
        case blas = "libcublas"
        case compiler = "libnvrtc"

        /// File names, the ones to prefer first.
        var names: [String] {
            switch self {
            case .driver: ["libcuda.so.1"]
            case .blas: ["libcublas.so.13", "libcublas.so.12"]
            case .compiler: ["libnvrtc.so.13", "libnvrtc.so.12"]
            }
        }

        var remedy: String {
            switch self {
            case .driver: "install NVIDIA's driver (580 or newer for CUDA 13, 525 for CUDA 12)"
            case .blas: "install CUDA 12 or 13's cuBLAS, or name its folder as cuda_libraries in the configuration"
            case .compiler: "install CUDA 12 or 13's NVRTC, or name its folder as cuda_libraries in the configuration"
            }
        }
    }

    let driver: pcu_driver
    let blas: pcu_blas_library
    let compiler: pcu_compiler
    /// Where each was found.
    public let paths: [Library: String]

    /// Opens all three.
    ///
    /// - Parameter folder: looked into before all other places, for all three; nil for none.
    /// - Throws: `missing` with the first library that is not there.
    public init(folder: String?) throws(ComputeError) {
        var driver = pcu_driver()
        var blas = pcu_blas_library()
        var compiler = pcu_compiler()
        paths = [
            .driver: try Self.open(.driver, folder) { pcu_open_driver($0, &driver) },
            .blas: try Self.open(.blas, folder) { pcu_open_blas($0, &blas) },
            .compiler: try Self.open(.compiler, folder) { pcu_open_compiler($0, &compiler) },
        ]
        (self.driver, self.blas, self.compiler) = (driver, blas, compiler)
    }

    /// Which libraries open, each with its path or with why it does not, for `primed doctor`.
    public static func survey(folder: String?) -> [(library: Library, found: Result<String, ComputeError>)] {
        var (driver, blas, compiler) = (pcu_driver(), pcu_blas_library(), pcu_compiler())
        return Library.allCases.map { library in
            let found = Result { () throws(ComputeError) in
                try open(library, folder) { path in
                    switch library {
                    case .driver: pcu_open_driver(path, &driver)
                    case .blas: pcu_open_blas(path, &blas)
                    case .compiler: pcu_open_compiler(path, &compiler)
                    }
                }
            }
            return (library, found)
        }
    }

    /// The places where a library may lie, in the order in which they are tried: the configured folder, the loader's own
    /// names, `$CUDA_HOME`, the usual toolkit, and the wheels that Python environments have.
    static func candidates(_ library: Library, folder: String?) -> [String] {
        func inside(_ folders: [String]) -> [String] {
            folders.flatMap { folder in library.names.map { "\(folder)/\($0)" } }
        }
        let homes = [variable("CUDA_HOME"), variable("CUDA_PATH"), "/usr/local/cuda"].compactMap(\.self)
        let toolkits = homes.flatMap { ["\($0)/lib64", "\($0)/targets/x86_64-linux/lib", "\($0)/lib"] }
        let environments = [
            variable("VIRTUAL_ENV").map { "\($0)/lib/python3*/site-packages" },
            variable("CONDA_PREFIX").map { "\($0)/lib/python3*/site-packages" },
            variable("HOME").map { "\($0)/.local/lib/python3*/site-packages" },
            "/usr/local/lib/python3*/dist-packages", "/usr/local/lib/python3*/site-packages",
            "/usr/lib/python3/dist-packages", "/opt/*/lib/python3*/site-packages",
        ]
        let wheels = environments.compactMap(\.self).flatMap { matches("\($0)/nvidia/*/lib") }
        return inside(folder.map { [$0] } ?? []) + library.names + inside(toolkits) + inside(wheels)
    }

    private static func open(
        _ library: Library, _ folder: String?, _ load: (String) -> UnsafePointer<CChar>?
    ) throws(ComputeError) -> String {
        var reasons: [String] = []
        for path in candidates(library, folder: folder) {
            // Where there is no such file there is nothing to say.
            if path.hasPrefix("/"), access(path, R_OK) != 0 { continue }
            guard let reason = load(path) else { return path }
            reasons.append(String(cString: reason))
        }
        throw ComputeError(
            .missing, library.rawValue, found: reasons.first ?? "it lies in none of the usual places",
            remedy: library.remedy)
    }

    private static func variable(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }

    private static func matches(_ pattern: String) -> [String] {
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(pattern, 0, nil, &found) == 0 else { return [] }
        return (0..<Int(found.gl_pathc)).map { String(cString: found.gl_pathv[$0]!) }
    }
}
