import CCUDA
import Glibc

/// One GPU: its context, its stream, its memory, and what first went wrong on it.
///
/// Calls are queued on one stream. An error stays: later calls do nothing, and whoever waits for results gets it.
public final class CUDADevice: @unchecked Sendable {
    public let libraries: CUDALibraries
    /// The device's number and name, for messages.
    public let place: String
    /// Compute capability: 90 for 9.0.
    public let capability: Int
    /// The card, its memory and the libraries that compute on it, the device's number left out.
    let arithmetic: String
    /// Bytes of shared memory that a thread block may ask for.
    var blockMemory: Int
    let arena: Arena
    let stream: pcu_stream
    let blas: pcu_blas
    /// Memory that cuBLAS works in.
    private var workspace: Arena.Place?
    private let handle: Int32
    private let context: pcu_context
    private(set) var failure: ComputeError?

    /// Bytes for cuBLAS: what its documentation advises for Hopper.
    private static let workspaceBytes = 32 << 20
    /// The share of the card that is taken where nothing else is configured: the rest is the context's and its kernels'.
    private static let share = 0.9

    /// How many GPUs there are; `CUDA_VISIBLE_DEVICES` hides some.
    public static func count(_ libraries: CUDALibraries) throws(ComputeError) -> Int {
        var count: Int32 = 0
        try check(libraries, libraries.driver.`init`(0), "cuInit", on: "the driver")
        try check(libraries, libraries.driver.device_count(&count), "cuDeviceGetCount", on: "the driver")
        return Int(count)
    }

    /// A GPU as the driver shows it, untouched.
    public struct Summary: Sendable {
        /// The device's number and its card.
        public let name: String
        let card: String
        /// Compute capability: 90 for 9.0.
        public let capability: Int
        /// Bytes.
        public let memory: Int
        let blockMemory: Int

        /// The compute capability as NVIDIA writes it.
        var version: String { "\(capability / 10).\(capability % 10)" }
        /// Whether its tensor cores multiply bf16, without which `CUDADevice` does not open.
        public var isUsable: Bool { capability >= CUDADevice.leastCapability }
    }

    /// The compute capability from which tensor cores multiply bf16.
    private static let leastCapability = 80

    /// All GPUs that `CUDA_VISIBLE_DEVICES` leaves, in the driver's order; no memory is taken.
    public static func survey(_ libraries: CUDALibraries) throws(ComputeError) -> [Summary] {
        try (0..<count(libraries)).map { ordinal throws(ComputeError) in try Self.summary(libraries, ordinal).0 }
    }

    /// What the driver says of a device, and its handle.
    private static func summary(
        _ libraries: CUDALibraries, _ ordinal: Int
    ) throws(ComputeError) -> (Summary, handle: Int32) {
        let driver = libraries.driver
        let place = "cuda:\(ordinal)"
        var handle: Int32 = 0
        try check(libraries, driver.device(&handle, Int32(ordinal)), "cuDeviceGet", on: place)
        var text = [CChar](repeating: 0, count: 256)
        try check(libraries, driver.device_name(&text, 256, handle), "cuDeviceGetName", on: place)
        func attribute(_ number: Int32) throws(ComputeError) -> Int {
            var value: Int32 = 0
            try check(libraries, driver.device_attribute(&value, number, handle), "cuDeviceGetAttribute", on: place)
            return Int(value)
        }
        var bytes = 0
        try check(libraries, driver.device_memory(&bytes, handle), "cuDeviceTotalMem", on: place)
        let card = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        // Compute capability, major and minor.
        let capability = 10 * (try attribute(75)) + (try attribute(76))
        let summary = Summary(
            name: "\(place) (\(card))", card: card, capability: capability, memory: bytes,
            blockMemory: try attribute(97))
        return (summary, handle)
    }

    /// Takes the device's memory at once.
    ///
    /// - Parameters:
    ///   - bytes: how much; nil for nine tenths of the card.
    ///   - separately: take no more than is asked for, each time anew: slow, but what watches the kernels' memory sees where
    ///     one leaves what it was given.
    /// - Throws: `notReady` for a device that is not there or whose memory others hold; `memory` where it has too little.
    public init(
        _ libraries: CUDALibraries, ordinal: Int, bytes: Int? = nil, separately: Bool = false
    ) throws(ComputeError) {
        let driver = libraries.driver
        let count = try Self.count(libraries)
        guard (0..<count).contains(ordinal) else {
            throw ComputeError(
                .notReady, "cuda:\(ordinal)", found: count == 0 ? "no GPU" : "\(count) GPUs, numbered from 0",
                remedy: "check the driver, CUDA_VISIBLE_DEVICES and the device's rights")
        }
        let (summary, handle) = try Self.summary(libraries, ordinal)
        let place = summary.name
        guard summary.isUsable else {
            throw ComputeError(
                .missing, place, found: "compute capability \(summary.version)",
                remedy: "bf16 on tensor cores needs 8.0 or more; use the CPU")
        }
        var context: pcu_context?
        try Self.check(libraries, driver.retain_context(&context, handle), "cuDevicePrimaryCtxRetain", on: place)
        try Self.check(libraries, driver.set_context(context), "cuCtxSetCurrent", on: place)
        var (free, total) = (0, 0)
        try Self.check(libraries, driver.memory_info(&free, &total), "cuMemGetInfo", on: place)
        let wanted = bytes ?? Int(Double(total) * Self.share)
        guard wanted <= free else {
            throw ComputeError(
                wanted <= total ? .notReady : .memory, place, found: "\(free >> 20) MiB free of \(total >> 20) MiB",
                remedy: "\(wanted >> 20) MiB are wanted: stop what else runs there, or set gpu_memory_mib")
        }
        var start: pcu_address = 0
        if !separately { try Self.check(libraries, driver.allocate(&start, wanted), "cuMemAlloc", on: place) }
        var stream: pcu_stream?
        try Self.check(libraries, driver.create_stream(&stream, 1), "cuStreamCreate", on: place)  // non-blocking
        var blas: pcu_blas?
        try Self.check(libraries, blas: libraries.blas.create(&blas), "cublasCreate", on: place)
        arena = Arena(
            start: start, size: wanted, source: separately ? Self.separate(driver, context, stream) : nil)
        var (blasVersion, major, minor): (Int32, Int32, Int32) = (0, 0, 0)
        try Self.check(libraries, blas: libraries.blas.version(blas, &blasVersion), "cublasGetVersion", on: place)
        _ = libraries.compiler.version(&major, &minor)
        arithmetic =
            "\(summary.card), compute capability \(summary.version), \(wanted >> 20) MiB, "
            + "cuBLAS \(blasVersion), NVRTC \(major).\(minor)"
        guard let context, let stream, let blas, let workspace = arena.take(Self.workspaceBytes) else {
            throw ComputeError(
                .memory, place, found: "\(wanted >> 20) MiB",
                remedy: "give it at least \(Self.workspaceBytes >> 20) MiB")
        }
        (self.context, self.stream, self.blas, self.workspace) = (context, stream, blas, workspace)
        (self.libraries, self.handle, self.place, capability) = (libraries, handle, place, summary.capability)
        blockMemory = summary.blockMemory
        try Self.check(libraries, blas: libraries.blas.set_stream(blas, stream), "cublasSetStream", on: place)
        // Its own memory, so that it takes none while the stream runs, and results do not depend on what it finds.
        try Self.check(
            libraries, blas: libraries.blas.set_workspace(blas, workspace.address, workspace.count),
            "cublasSetWorkspace", on: place)
        // The default, CUBLAS_DEFAULT_MATH, multiplies bf16 on tensor cores and float32 as float32, not as TensorFloat-32
        // (the pedantic mode may leave tensor cores unused); with CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION parts
        // of a sum are added in float32, too.
        try Self.check(libraries, blas: libraries.blas.set_math_mode(blas, 16), "cublasSetMathMode", on: place)
    }

    deinit {
        _ = libraries.driver.set_context(context)
        _ = libraries.driver.wait_stream(stream)
        _ = libraries.blas.destroy(blas)
        workspace = nil
        _ = libraries.driver.destroy_stream(stream)
        if arena.start != 0 { _ = libraries.driver.free_memory(arena.start) }
        _ = libraries.driver.release_context(handle)
    }

    /// An allocation a place. One that is let go may still be in use by what was queued.
    private static func separate(_ driver: pcu_driver, _ context: pcu_context?, _ stream: pcu_stream?) -> Arena.Source {
        Arena.Source(
            take: { bytes in
                var address: pcu_address = 0
                return driver.set_context(context) == 0 && driver.allocate(&address, bytes) == 0 ? address : nil
            },
            give: { address in
                _ = driver.set_context(context)
                _ = driver.wait_stream(stream)
                _ = driver.free_memory(address)
            })
    }

    // MARK: - Memory

    func take(_ bytes: Int, for use: String) throws(ComputeError) -> Arena.Place {
        if let place = arena.take(bytes) { return place }
        throw ComputeError(
            .memory, place, found: "no room for \(bytes >> 20) MiB of \(use), \(arena.room >> 20) MiB are free",
            remedy: "use a smaller model, a smaller token_budget or a larger GPU")
    }

    // MARK: - Copies

    /// Bytes copied between host and device, both ways.
    private(set) var copiedBytes = 0

    /// Queues a copy to the device; the source must last until it is done.
    func copyIn(_ source: UnsafeRawPointer, _ bytes: Int, to address: UInt64, of what: String) {
        copiedBytes += bytes
        queue("cuMemcpyHtoDAsync of \(what)") { $0.copy_in(address, source, bytes, stream) }
    }

    /// Queues a copy to the host.
    func copyOut(_ target: UnsafeMutableRawPointer, _ bytes: Int, from address: UInt64) {
        copiedBytes += bytes
        queue("cuMemcpyDtoHAsync") { $0.copy_out(target, address, bytes, stream) }
    }

    // MARK: - Calls

    /// Queues something unless the device has failed; an error is kept. Any thread may call, one at a time.
    func queue(_ call: @autoclosure () -> String, _ body: (pcu_driver) -> Int32) {
        guard failure == nil else { return }
        note(libraries.driver.set_context(context), "cuCtxSetCurrent")
        guard failure == nil else { return }
        note(body(libraries.driver), call())
    }

    func queue(blas call: @autoclosure () -> String, _ body: (pcu_blas_library) -> Int32) {
        guard failure == nil else { return }
        note(libraries.driver.set_context(context), "cuCtxSetCurrent")
        guard failure == nil else { return }
        do {
            try Self.check(libraries, blas: body(libraries.blas), call(), on: place, isOpening: false)
        } catch { failure = error }
    }

    private func note(_ status: Int32, _ call: @autoclosure () -> String) {
        do { try Self.check(libraries, status, call(), on: place, isOpening: false) } catch { failure = error }
    }

    /// Queues calls whose failure is the caller's to mend: the first error ends them and does not stay. An error that the
    /// driver itself keeps comes again with the next call.
    func trying(_ calls: () -> Void) -> ComputeError? {
        guard failure == nil else { return failure }
        defer { failure = nil }
        calls()
        return failure
    }

    /// Waits until all that was queued is done.
    ///
    /// - Throws: the first error since the device was opened.
    func wait() throws(ComputeError) {
        queue("cuStreamSynchronize") { $0.wait_stream(stream) }
        if let failure { throw failure }
    }

    // MARK: - Errors

    /// Errors after which the device answers nobody: gone from the bus, or unusable until a reset.
    private static let lost: Set<Int32> = [101, 214]
    /// Errors that pass by themselves: another process has the device for itself; the fabric manager or the multi-process
    /// service is not up; a driver is being replaced. (No memory in the middle of a job may be the job's own doing.)
    private static let passing: Set<Int32> = [46, 802, 803, 805, 806, 807, 808, 809]

    /// - Parameter isOpening: before anything was asked of the device: what fails then is no fault of it.
    private static func check(
        _ libraries: CUDALibraries, _ status: Int32, _ call: String, on place: String, isOpening: Bool = true
    ) throws(ComputeError) {
        guard status != 0 else { return }
        var (name, text): (UnsafePointer<CChar>?, UnsafePointer<CChar>?) = (nil, nil)
        _ = libraries.driver.error_name(status, &name)
        _ = libraries.driver.error_string(status, &text)
        let found = [name, text].compactMap { $0.map { String(cString: $0) } }.joined(separator: ": ")
        let code: ComputeError.Code =
            lost.contains(status) ? .lost : isOpening || passing.contains(status) ? .notReady : .failed
        let remedy =
            switch code {
            case .notReady where status == 2: "free memory on the GPU, or set gpu_memory_mib to less"
            case .notReady: "nvidia-smi shows whether the driver is up and who has the GPU; then try again"
            default: "see the kernel's log for Xid messages; the job is tried again in a new process"
            }
        throw ComputeError(
            code, "\(call) on \(place)", found: found.isEmpty ? "error \(status)" : found, remedy: remedy)
    }

    private static func check(
        _ libraries: CUDALibraries, blas status: Int32, _ call: String, on place: String, isOpening: Bool = true
    ) throws(ComputeError) {
        guard status != 0 else { return }
        let meanings: [Int32: String] = [
            1: "not initialized", 3: "no memory", 7: "invalid value", 8: "architecture mismatch", 11: "mapping error",
            13: "execution failed", 14: "internal error", 15: "not supported",
        ]
        throw ComputeError(
            isOpening ? .notReady : .failed, "\(call) on \(place)",
            found: "cuBLAS status \(status), \(meanings[status] ?? "unknown")",
            remedy: status == 3
                ? "free memory on the GPU, or set gpu_memory_mib to less"
                : "check that the driver is as new as cuBLAS; the job is tried again in a new process")
    }
}
