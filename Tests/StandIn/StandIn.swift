import Glibc
import Posix

@testable import Compute

/// The stand-in for a GPU (device/), built once and found as the real libraries are.
///
/// With a folder in `PRIMED_REAL_GPU` the tests run on the machine's own GPU: NVIDIA's libraries are found as ever, and compiled
/// kernels are kept in that folder. Tests/rigs/gpu/measure.py does so.
public enum StandIn {
    public enum Kind: String, Sendable, CaseIterable {
        case plain
        /// Its kernels watch their memory: an access out of bounds or a race within a block fails them. Every buffer is an
        /// allocation of its own, on a real GPU, too, so that leaving one is an access out of bounds.
        case checked
    }

    /// A device on it, with so much memory.
    public static func device(_ kind: Kind = .plain, bytes: Int = 64 << 20) throws -> CUDADevice {
        _ = keepsContext
        return try CUDADevice(
            CUDALibraries(folder: folder(kind)), ordinal: 0, bytes: bytes, separately: kind == .checked)
    }

    /// Whether the tests run on a real GPU.
    public static let isReal = getenv("PRIMED_REAL_GPU") != nil

    /// On a real GPU the last device to close would end the context, which takes long to make anew.
    private static let keepsContext: Bool = {
        guard isReal, let driver = try? CUDALibraries(folder: folder()).driver else { return false }
        var (handle, context): (Int32, OpaquePointer?) = (0, nil)
        return driver.`init`(0) == 0 && driver.device(&handle, 0) == 0 && driver.retain_context(&context, handle) == 0
    }()

    /// The folder with its libraries.
    public static func folder(_ kind: Kind = .plain) throws -> String {
        if let real = getenv("PRIMED_REAL_GPU") { return String(cString: real) }
        return try (kind == .plain ? plain : checked).get()
    }

    /// A backend on such a device, whose compiled kernels are kept from run to run.
    public static func backend(_ kind: Kind = .plain, isBF16: Bool, bytes: Int = 64 << 20) throws -> CUDABackend {
        try CUDABackend(device(kind, bytes: bytes), isBF16: isBF16, cacheFolder: "\(folder(kind))/kernels")
    }

    private static let root = String(#filePath.dropLast("Tests/StandIn/StandIn.swift".count))
    private static let plain = Result { try build(.plain) }
    private static let checked = Result { try build(.checked) }

    private static func build(_ kind: Kind) throws -> String {
        let target = "\(root).build/stand-in/\(kind.rawValue)"
        try Files.makeDirectories(target)
        // Test programs that run side by side wait for the first.
        var lock = try? FileLock("\(target)/lock")
        while lock == nil {
            usleep(50_000)
            lock = try? FileLock("\(target)/lock")
        }
        defer { withExtendedLifetime(lock) {} }
        let shell = try ChildProcess(
            "/bin/sh", arguments: ["\(root)Tests/StandIn/device/build", target, kind.rawValue])
        guard try shell.waitForExit() == .code(0) else {
            throw PosixError(call: "Tests/StandIn/device/build", path: target, errno: ENOEXEC)
        }
        return target
    }
}
