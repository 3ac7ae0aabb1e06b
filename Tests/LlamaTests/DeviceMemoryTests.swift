import Checkpoints
import FoundationEssentials
import StandIn
import Testing

@testable import Compute
@testable import Llama

/// What a model on a GPU holds of its memory from job to job.
@Suite("A device's memory")
struct DeviceMemoryTests {
    /// `PRIMED_JOBS=1000` for a long look.
    private let jobs = ProcessInfo.processInfo.environment["PRIMED_JOBS"].flatMap(Int.init) ?? 12

    @Test("Jobs of different banks and lengths leave nothing behind")
    func steady() throws {
        let fixture = try Fixture("llama3.2")
        let device = try StandIn.device(bytes: 256 << 20)
        let backend = CUDABackend(
            device, isBF16: false, cacheFolder: "\(try StandIn.folder())/kernels")
        let model = try Llama(fixture.folder, backend: backend, options: EngineOptions())
        var steady: [Int] = []
        // What the driver has left: graphs, kernels and events lie outside the arena.
        func left() -> Int {
            var (free, total) = (0, 0)
            #expect(device.libraries.driver.memory_info(&free, &total) == 0)
            return free
        }
        var leftAtFirst = 0
        for job in 0..<jobs {
            let adapters = job % 2 == 0 ? fixture.adapters : [fixture.adapters[1]]
            try model.load(bank: adapters)
            let mixtures = [Mixture.base, Mixture.only(0, of: adapters.count)]
            let count = 1 + job % 3
            let requests = Array(fixture.requests(mixture: 1).prefix(count)) + [fixture.requests()[0]]
            _ = try model.generate(requests, mixtures: mixtures, merge: .delta, progress: nil)
            // Every sort of job comes round after six.
            if steady.count < 6 { steady.append(device.arena.used) }
            if job == 11 { leftAtFirst = left() }
            #expect(device.arena.used == steady[job % 6], "job \(job)")
            #expect(backend.graphs.count <= 4)
            // Keys and values had what was left, and the bank was not in their way.
            #expect(device.arena.highest <= device.arena.size)
        }
        // The driver takes and gives in lumps of 2 MiB.
        #expect(left() >= leftAtFirst - (4 << 20))
        try model.load(bank: [])
        #expect(device.arena.used < steady.min() ?? 0)
    }

    @Test("Keys and values get what is left, and give it back to a bank")
    func cacheYields() throws {
        let fixture = try Fixture("llama3.2")
        let device = try StandIn.device(bytes: 40 << 20)
        let backend = CUDABackend(device, isBF16: false, cacheFolder: "\(try StandIn.folder())/kernels")
        var options = EngineOptions()
        options.tokenBudget = 128
        let model = try Llama(fixture.folder, backend: backend, options: options)
        try model.load(bank: fixture.adapters)
        let room = try #require(backend.room)
        // More sequences than there is room for at once, all of them answered.
        let requests = (0..<10).flatMap { shift in
            fixture.requests().map { request in
                var request = request
                request.prompt[request.prompt.count - 1] = Int32(shift + 3)
                return request
            }
        }
        let few = try model.generate(Array(requests.prefix(4)), mixtures: [.base], merge: .delta, progress: nil)
        let all = try model.generate(requests, mixtures: [.base], merge: .delta, progress: nil)
        #expect(Array(all.prefix(4)) == few)
        #expect(try #require(backend.room) < room)
        try model.load(bank: fixture.adapters)
        #expect(try #require(backend.room) >= room - (4 << 20))
    }

    @Test("Where memory is short steps are smaller, for each call anew")
    func smallerSteps() throws {
        let fixture = try Fixture("llama3.2")
        let device = try StandIn.device(bytes: 64 << 20)
        let backend = CUDABackend(device, isBF16: false, cacheFolder: "\(try StandIn.folder())/kernels")
        var options = EngineOptions()
        options.tokenBudget = 16384
        let model = try Llama(fixture.folder, backend: backend, options: options)
        try model.load(bank: fixture.adapters)
        let name = model.arithmetic
        func answers() throws -> [Completion] {
            try model.generate(fixture.requests(), mixtures: [.base], merge: .delta, progress: nil)
        }
        let first = try answers()
        #expect(model.tokenBudget == 4096)
        // A call that is refused changes nothing for others.
        let other = Request(prompt: [3], maxNewTokens: 1)
        #expect(throws: LlamaError.self) {
            try model.generate(
                [other], mixtures: [.only(9, of: 10)], merge: .delta, progress: nil)
        }
        #expect(try answers() == first && model.tokenBudget == 4096)
        #expect(model.arithmetic == name)
    }
}
