import Checkpoints
import Compute

/// Loads a model onto the device that the options name.
///
/// A GPU multiplies in bf16, which its tensor cores are made for, what is stored as bf16 or f16; f16 loses three of its ten
/// bits, as little as activations in bf16 lose anyway. What is stored as float32 stays float32, without them. The CPU multiplies
/// float32 whatever is stored.
///
/// - Throws: `deviceNotReady` where it cannot be had now, `memory` where the model does not fit.
public func languageModel(_ folder: ModelFolder, options: EngineOptions) throws(LlamaError) -> any LanguageModel {
    switch options.device {
    case .cpu: return try Llama(folder, options: options)
    case .cuda(let ordinal):
        let device = try onDevice { () throws(ComputeError) in
            try CUDADevice(
                CUDALibraries(folder: options.cudaLibraries), ordinal: ordinal, bytes: options.deviceBytes)
        }
        let backend = CUDABackend(device, isBF16: folder.isHalf, cacheFolder: options.kernelCache)
        let (needed, room) = (folder.parameterCount * (folder.isHalf ? 2 : 4), backend.room ?? .max)
        guard needed <= room else {
            throw LlamaError(
                .memory, device.place, found: "room for \(room >> 20) MiB, and the model takes \(needed >> 20) MiB",
                remedy: "take a larger GPU or a smaller model; gpu_memory_mib bounds what is taken")
        }
        return try Llama(folder, backend: backend, options: options)
    }
}

extension ModelFolder {
    /// Whether the weights are stored in 16 bits.
    fileprivate var isHalf: Bool { linear(0, .q).type != .f32 }
}

extension Llama where B == CPUBackend {
    /// On the CPU, which is always there.
    public convenience init(_ folder: ModelFolder, options: EngineOptions = EngineOptions()) throws(LlamaError) {
        // What float32 copies would take, however the weights are stored.
        let widened = 4 * folder.parameterCount
        try self.init(
            folder, backend: CPUBackend(threads: options.threads, keepBF16: widened > options.widenedBytes),
            options: options)
    }
}
