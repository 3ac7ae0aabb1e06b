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
        ///
        /// - Parameter version: the CUDA that the driver was made for; what is newer does not run on it.
        func names(version: Int) -> [String] {
            if self == .driver { return ["libcuda.so.1"] }
            return [13, 12].filter { $0 <= version }.map { "\(rawValue).so.\($0)" }
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
        // They would have cuBLAS multiply float32 in another format, and nothing would tell the results apart.
        for variable in ["NVIDIA_TF32_OVERRIDE", "CUBLAS_EMULATE_SINGLE_PRECISION"] { unsetenv(variable) }
        var driver = pcu_driver()
        var blas = pcu_blas_library()
        var compiler = pcu_compiler()
        var paths = [Library.driver: try Self.open(.driver, folder) { pcu_open_driver($0, &driver) }]
        let version = Self.version(of: driver)
        paths[.blas] = try Self.open(.blas, folder, version: version) { pcu_open_blas($0, &blas) }
        paths[.compiler] = try Self.open(.compiler, folder, version: version) { pcu_open_compiler($0, &compiler) }
        (self.driver, self.blas, self.compiler, self.paths) = (driver, blas, compiler, paths)
    }

    /// Which libraries open, each with its path or with why it does not, for `primed doctor`.
    public static func survey(folder: String?) -> [(library: Library, found: Result<String, ComputeError>)] {
        var (driver, blas, compiler) = (pcu_driver(), pcu_blas_library(), pcu_compiler())
        var version = Int.max
        return Library.allCases.map { library in
            let found = Result { () throws(ComputeError) in
                try open(library, folder, version: version) { path in
                    switch library {
                    case .driver: pcu_open_driver(path, &driver)
                    case .blas: pcu_open_blas(path, &blas)
                    case .compiler: pcu_open_compiler(path, &compiler)
                    }
                }
            }
            if library == .driver, case .success = found { version = Self.version(of: driver) }
            return (library, found)
        }
    }

    /// The CUDA that a driver was made for: 12 for 12.9.
    private static func version(of driver: pcu_driver) -> Int {
        var version: Int32 = 0
        _ = driver.driver_version(&version)
        return Int(version) / 1000
    }

    /// The places where a library may lie, in the order in which they are tried: the configured folder, the loader's own
    /// names, the driver's place in containers, `$CUDA_HOME`, the usual toolkit, and the wheels that Python environments have.
    static func candidates(_ library: Library, folder: String?, version: Int) -> [String] {
        let names = library.names(version: version)
        func inside(_ folders: [String]) -> [String] {
            folders.flatMap { folder in names.map { "\(folder)/\($0)" } }
        }
        // Where a container finds the driver that its host lends it.
        let lent = library == .driver ? ["/usr/local/nvidia/lib64"] : []
        let homes = [variable("CUDA_HOME"), variable("CUDA_PATH"), "/usr/local/cuda"].compactMap(\.self)
        let toolkits = homes.flatMap { ["\($0)/lib64", "\($0)/targets/x86_64-linux/lib", "\($0)/lib"] }
        let environments = [
            variable("VIRTUAL_ENV").map { "\($0)/lib/python3*/site-packages" },
            variable("CONDA_PREFIX").map { "\($0)/lib/python3*/site-packages" },
            variable("HOME").map { "\($0)/.local/lib/python3*/site-packages" },
            "/usr/local/lib/python3*/dist-packages", "/usr/local/lib/python3*/site-packages",
            "/usr/lib/python3/dist-packages", "/opt/*/lib/python3*/site-packages",
            "/opt/*/.venv/lib/python3*/site-packages",
        ]
        let wheels = environments.compactMap(\.self).flatMap { matches("\($0)/nvidia/*/lib") }
        return inside(folder.map { [$0] } ?? []) + names + inside(lent + toolkits) + inside(wheels)
    }

    private static func open(
        _ library: Library, _ folder: String?, version: Int = .max, _ load: (String) -> UnsafePointer<CChar>?
    ) throws(ComputeError) -> String {
        guard version >= 12 else {
            throw ComputeError(
                .missing, library.rawValue, found: "a driver for CUDA \(version)", remedy: Library.driver.remedy)
        }
        var reasons: [String] = []
        for path in candidates(library, folder: folder, version: version) {
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
