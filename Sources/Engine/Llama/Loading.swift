import Checkpoints
import Compute

/// Loads a model onto the device that the options name.
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
        // bf16 is what the tensor cores are made for; a model that was stored wider stays wider.
        let backend = CUDABackend(device, isBF16: folder.isBF16, cacheFolder: options.kernelCache)
        let (needed, room) = (folder.parameterCount * (folder.isBF16 ? 2 : 4), backend.room ?? .max)
        guard needed <= room else {
            throw LlamaError(
                .memory, device.place, found: "room for \(room >> 20) MiB, and the model takes \(needed >> 20) MiB",
                remedy: "take a larger GPU or a smaller model; gpu_memory_mib bounds what is taken")
        }
        return try Llama(folder, backend: backend, options: options)
    }
}

extension ModelFolder {
    /// Whether the weights are stored as bf16.
    fileprivate var isBF16: Bool { linear(0, .q).type == .bf16 }
}

extension Llama where B == CPUBackend {
    /// On the CPU, which is always there.
    public convenience init(_ folder: ModelFolder, options: EngineOptions = EngineOptions()) throws(LlamaError) {
        // Parameters, not stored bytes: what float32 copies would take.
        let widened = 2 * folder.byteCount
        try self.init(
            folder, backend: CPUBackend(threads: options.threads, keepBF16: widened > options.widenedBytes),
            options: options)
    }
}
