import Testing

@testable import Checkpoints

/// What transformers and PEFT themselves wrote: the model and the adapters that the repository ships.
@Suite struct ExampleTests {
    private static let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    private let model = "/\(root)/examples/debian/models/debian-llama-4m"
    private let pool = "/\(root)/examples/debian/pools/package_section"

    @Test func readsARealModelAndARealAdapter() throws {
        let model = try ModelFolder(model)
        #expect(model.config.layers == 6 && model.config.kvHeads == 2 && model.config.tiedEmbeddings)
        #expect(model.embedding.type == .bf16)
        let adapter = try Adapter("\(pool)/user_246", for: model.config)
        #expect(adapter.pairs.count == 24)
        #expect(adapter.pairs.values.allSatisfy { $0.rank == 8 && $0.scale == 1 })
    }
}
