import Checkpoints
import FoundationEssentials
import StandIn
import Testing

@testable import Compute
@testable import Llama

@Suite("A checkpoint's number format on a GPU")
struct NumberFormatTests {
    private func options() throws -> EngineOptions {
        var options = EngineOptions()
        options.device = .cuda(0)
        options.deviceBytes = 128 << 20
        options.cudaLibraries = try StandIn.folder()
        options.kernelCache = "\(try StandIn.folder())/kernels"
        return options
    }

    /// The fixture's model with its weights in f16.
    private func halved(_ name: String, in folder: URL) throws -> ModelFolder {
        let source = URL(filePath: Fixture.root + name)
        let stored = try Safetensors(source.path + "/model.safetensors")
        var (header, numbers) = ("", Data())
        for name in stored.names {
            let tensor = try #require(stored[name])
            let start = numbers.count
            for value in tensor.floats() {
                withUnsafeBytes(of: Float16(value).bitPattern) { numbers.append(contentsOf: $0) }
            }
            header += #"\#(header.isEmpty ? "" : ",")"\#(name)":{"dtype":"F16","shape":\#(tensor.shape),"#
            header += #""data_offsets":[\#(start),\#(numbers.count)]}"#
        }
        header = "{\(header)}"
        var file = withUnsafeBytes(of: UInt64(header.utf8.count)) { Data($0) }
        file.append(contentsOf: header.utf8)
        file.append(numbers)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try file.write(to: folder.appending(path: "model.safetensors"))
        try FileManager.default.copyItem(
            at: source.appending(path: "config.json"), to: folder.appending(path: "config.json"))
        return try ModelFolder(folder.path)
    }

    @Test("f16 runs in bf16, as near to float32 as bf16 comes", arguments: Fixture.tiny)
    func half(_ name: String) throws {
        let place = FileManager.default.temporaryDirectory.appending(path: "halved-\(name)-\(UUID())")
        defer { try? FileManager.default.removeItem(at: place) }
        let folder = try halved(name, in: place)
        let model = try languageModel(folder, options: options())
        #expect((model as? Llama<CUDABackend>)?.backend.isBF16 == true)
        #expect(model.arithmetic.hasPrefix("cuda, bf16, ") && model.arithmetic.hasSuffix("steps of 2048 rows"))
        let tokens = try Fixture(name).expected.prompts[0]
        let found = try model.logits(tokens, mixture: .base, merge: .delta)
        let expected = try Llama(folder).logits(tokens, mixture: .base, merge: .delta)
        // The bound of a layer in bf16 (ComputeTests/ConformanceTests).
        let error = relativeError(found.flatMap { $0 }, expected.flatMap { $0 })
        #expect(error < 1e-2 * Double(folder.config.layers), "relative error \(error)")
    }

    @Test("float32 stays float32")
    func whole() throws {
        let model = try languageModel(Fixture("llama2").folder, options: options())
        #expect((model as? Llama<CUDABackend>)?.backend.isBF16 == false)
    }

    @Test("A GPU that is not there is no fault of what was asked")
    func notReady() throws {
        var options = try options()
        options.device = .cuda(5)
        let folder = try Fixture("llama2").folder
        #expect(throws: LlamaError.self) { _ = try languageModel(folder, options: options) }
        do { _ = try languageModel(folder, options: options) } catch { #expect(error.code == .deviceNotReady) }
        options.device = .cuda(0)
        options.deviceBytes = 1 << 50
        #expect(throws: LlamaError.self) { _ = try languageModel(folder, options: options) }
        do { _ = try languageModel(folder, options: options) } catch { #expect(error.code == .memory) }
    }
}
