import CCUDA
import Digest
import Glibc
import Posix

/// The kernels, compiled for one device, one head size and one number format.
///
/// What NVRTC makes is kept on disk under the hash of all it was made from, so it is made once a machine.
final class CUDAKernels {
    enum Kernel: String, CaseIterable {
        case embed = "pcu_embed_rows"
        case norm = "pcu_norm_rows"
        case rotate = "pcu_rotate_rows"
        case swiglu = "pcu_swiglu_rows"
        case mix = "pcu_mix_rows"
        case gather = "pcu_gather_rows"
        case choose = "pcu_choose_rows"
        case advance = "pcu_advance_rows"
        /// bf16 only.
        case attendWide = "pcu_attend_wide"
        case attendSplit = "pcu_attend_split"
        /// float32 only.
        case attendLines = "pcu_attend_lines"

        func exists(bf16: Bool) -> Bool {
            switch self {
            case .attendWide, .attendSplit: bf16
            case .attendLines: !bf16
            default: true
            }
        }

        var threads: Int32 {
            switch self {
            case .choose: PCU_PICK_THREADS
            case .attendWide, .attendSplit, .attendLines: PCU_THREADS
            default: PCU_ROW_THREADS
            }
        }

        /// Bytes of shared memory for heads of `headDim` numbers.
        func sharedBytes(headDim: Int) -> Int {
            let padded = (headDim + 15) / 16 * 16
            let pitch = padded + 8
            let (wide, split, warps) = (Int(PCU_LINES), Int(PCU_SPLIT_LINES), Int(PCU_THREADS) / 32)
            switch self {
            case .norm: return 4 * Int(PCU_ROW_THREADS)
            case .choose: return 32 * Int(PCU_PICK_THREADS)
            case .attendWide: return 2 * pitch * (wide + 4 * (padded <= 128 ? 64 : 32))
            case .attendSplit:
                return max(2 * pitch * (split + 2 * warps * cacheBlock), 4 * warps * split * (padded + 2))
            case .attendLines: return 4 * warps * padded
            default: return 0
            }
        }
    }

    private let device: CUDADevice
    private let module: pcu_module
    private var functions: [Kernel: pcu_function] = [:]
    private let headDim: Int
    /// Whether few query lines go to `attendSplit`: with large heads it takes more shared memory than some cards have.
    let splits: Bool

    /// - Parameter cacheFolder: where compiled kernels are kept; nil to compile each time.
    init(_ device: CUDADevice, headDim: Int, bf16: Bool, cacheFolder: String?) throws(ComputeError) {
        self.device = device
        self.headDim = headDim
        splits = bf16 && Kernel.attendSplit.sharedBytes(headDim: headDim) <= device.blockMemory
        guard headDim <= 256, headDim % 2 == 0 else {
            throw ComputeError(
                .unsupported, device.place, found: "heads of \(headDim) numbers",
                remedy: "the GPU's kernels take even heads of up to 256; use the CPU")
        }
        let program = try Program(
            device.libraries, capability: device.capability, headDim: headDim, bf16: bf16)
        let image = try program.image(cacheFolder: cacheFolder)
        var module: pcu_module?
        device.queue("cuModuleLoadData") { driver in
            image.withUnsafeBytes { driver.load_module(&module, $0.baseAddress) }
        }
        guard let module else {
            throw device.failure ?? ComputeError(.failed, device.place, found: "no module", remedy: "")
        }
        self.module = module
        for kernel in Kernel.allCases where kernel.exists(bf16: bf16) && (splits || kernel != .attendSplit) {
            var function: pcu_function?
            device.queue("cuModuleGetFunction of \(kernel.rawValue)") {
                $0.function(&function, module, kernel.rawValue)
            }
            let shared = kernel.sharedBytes(headDim: headDim)
            // Above 48 KiB a kernel has to ask.
            if shared > 48 << 10 {
                device.queue("cuFuncSetAttribute of \(kernel.rawValue)") {
                    $0.set_function_attribute(function, 8, Int32(shared))
                }
            }
            functions[kernel] = function
        }
        if let failure = device.failure { throw failure }
    }

    deinit { _ = device.libraries.driver.unload_module(module) }

    /// Queues a kernel over a grid of `blocks` by `heads` thread blocks.
    func launch<Arguments>(_ kernel: Kernel, blocks: Int, heads: Int = 1, _ arguments: Arguments) {
        guard blocks > 0, let function = functions[kernel] else { return }
        device.queue("cuLaunchKernel of \(kernel.rawValue)") { driver in
            withUnsafePointer(to: arguments) { arguments in
                var parameters: UnsafeMutableRawPointer? = UnsafeMutableRawPointer(mutating: arguments)
                return driver.launch(
                    function, UInt32(blocks), UInt32(heads), 1, UInt32(kernel.threads), 1, 1,
                    UInt32(kernel.sharedBytes(headDim: headDim)), device.stream, &parameters, nil)
            }
        }
    }
}

/// The kernels' source with what it is compiled for.
struct Program {
    let libraries: CUDALibraries
    let options: [String]

    init(_ libraries: CUDALibraries, capability: Int, headDim: Int, bf16: Bool) throws(ComputeError) {
        self.libraries = libraries
        options = [
            "-arch=sm_\(capability)", "-DPCU_KERNELS=1", "-DPCU_BF16=\(bf16 ? 1 : 0)", "-DPCU_HEAD=\(headDim)",
            "-std=c++17",
        ]
    }

    /// The machine code, from disk where it was kept.
    func image(cacheFolder: String?) throws(ComputeError) -> [UInt8] {
        var (major, minor): (Int32, Int32) = (0, 0)
        _ = libraries.compiler.version(&major, &minor)
        let path = cacheFolder.map { folder in
            let key = ["NVRTC \(major).\(minor)", libraries.paths[.compiler] ?? ""] + options + [Self.source]
            return "\(folder)/\(SHA256.hexadecimal(Array(key.joined(separator: "\n").utf8))).cubin"
        }
        if let path, let image = Self.kept(at: path) { return image }
        let image = try compile()
        if let path {
            // A cache that cannot be written only costs time.
            try? Files.makeDirectories(Files.parent(of: path))
            try? Files.writeAtomically(Array(SHA256.hexadecimal(image).utf8) + image, to: path, durable: false)
        }
        return image
    }

    static var source: String { String(cString: pcu_kernel_source()) }

    /// A kept image begins with its own hash: half a file is none.
    private static func kept(at path: String) -> [UInt8]? {
        guard let bytes = try? Files.read(path, limit: 64 << 20), bytes.count > 64 else { return nil }
        let image = Array(bytes[64...])
        return Array(SHA256.hexadecimal(image).utf8) == Array(bytes[..<64]) ? image : nil
    }

    private func compile() throws(ComputeError) -> [UInt8] {
        let compiler = libraries.compiler
        var program: pcu_program?
        try check(compiler.create(&program, pcu_kernel_source(), "primed.cu", 0, nil, nil), "nvrtcCreateProgram")
        defer { _ = compiler.destroy(&program) }
        var words = options.map { UnsafePointer(strdup($0)) }
        defer { for word in words { free(UnsafeMutableRawPointer(mutating: word)) } }
        let status = compiler.compile(program, Int32(words.count), &words)
        if status != 0 { try check(status, "nvrtcCompileProgram", log: log(of: program)) }
        var size = 0
        try check(compiler.cubin_size(program, &size), "nvrtcGetCUBINSize")
        var image = [UInt8](repeating: 0, count: size)
        let copied = image.withUnsafeMutableBytes {
            compiler.cubin(program, $0.baseAddress?.assumingMemoryBound(to: CChar.self))
        }
        try check(copied, "nvrtcGetCUBIN")
        return image
    }

    private func log(of program: pcu_program?) -> String {
        var size = 0
        guard libraries.compiler.log_size(program, &size) == 0, size > 1 else { return "" }
        var text = [CChar](repeating: 0, count: size)
        _ = libraries.compiler.log(program, &text)
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private func check(_ status: Int32, _ call: String, log: String = "") throws(ComputeError) {
        guard status != 0 else { return }
        let first = log.split(separator: "\n").first { $0.contains("error") }.map { ": \($0)" } ?? ""
        throw ComputeError(
            .failed, "\(call) (\(libraries.paths[.compiler] ?? "NVRTC"))", found: "status \(status)\(first)",
            remedy: "install an NVRTC that knows this GPU (\(options[0]))")
    }
}
