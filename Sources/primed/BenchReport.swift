import Glibc
import Llama
import Methods
import Posix

/// What a bench measured, as JSON and as a table.
struct BenchReport: Encodable {
    struct Population: Encodable {
        let candidates: Int
        var seconds: Double
        /// Rate of the model's products, GFLOP/s on all threads.
        var rate: Double
    }

    struct Memory: Encodable {
        var weights = 0
        var bank = 0
        var cache = 0
        var scratch = 0
        /// The most that the process has held.
        var peak = 0
    }

    /// A stretch of work, and what the model's products were in it.
    struct Work: Encodable {
        var seconds = 0.0
        /// A second, where that is what it was about.
        var tokens: Double?
        /// The products' share of the time.
        var products = 0.0
        /// GFLOP/s of the whole device, in products.
        var rate = 0.0
        /// GB/s: the products' operands and results, each once a product.
        var traffic = 0.0
    }

    let device: String
    let threads: Int
    /// Of the fastest round, by phase.
    var seconds: [String: Double] = [:]
    /// The fastest round as a whole.
    var job = Work()
    /// GFLOP/s of one large product of the device's own library in the same round.
    var largeRate = 0.0
    /// Bytes between the host and its device in that round.
    var copied = 0
    var populations: [Population] = []
    /// The history's prompts, and what follows them; nil where nothing does.
    var prefill = Work()
    var decode: Work?
    /// Why decoding ran call by call, and so slower than it could; nil where it did not.
    var decodeRefusal: String?
    /// Bytes.
    var memory = Memory()

    init(device: String, threads: Int) {
        self.device = device
        self.threads = threads
    }

    mutating func note(_ phases: PhaseSeconds, load: Double) {
        seconds = [
            "load": load, "prepare": phases.prepare, "references": phases.references, "search": phases.search,
            "queries": phases.queries, "total": phases.total,
        ]
    }

    mutating func note(_ statistics: EngineStatistics) {
        decodeRefusal = statistics.decodeRefusal
        memory = Memory(
            weights: statistics.weightBytes, bank: statistics.bankBytes, cache: statistics.cacheBytes,
            scratch: statistics.scratchBytes, peak: peakMemory())
    }

    private func line(_ name: String, _ work: Work) -> String {
        let columns = [
            (work.tokens.map { fixed($0, 0) } ?? "", 8), ("\(fixed(100 * work.products, 0))%", 16),
            (fixed(work.rate, 1), 9), ("\(fixed(100 * work.rate / largeRate, 0))%", 10), (fixed(work.traffic, 1), 8),
        ]
        return padded(name, 16) + columns.map { padded($0, $1, right: true) }.joined() + "\n"
    }

    var table: String {
        var text = "device \(device), threads \(threads)\n\nphase        seconds\n"
        for phase in ["load", "prepare", "references", "search", "queries", "total"] {
            text += "\(padded(phase, 12)) \(padded(fixed(seconds[phase] ?? 0, 3), 7, right: true))\n"
        }
        text += "\none large product  \(fixed(largeRate, 1)) GFLOP/s\n"
        text += "host and device    \(fixed(Double(copied) / 1_048_576, 1)) MiB copied\n"
        text += "\n                tokens/s  products' time  GFLOP/s  of large    GB/s\n"
        text += line("job", job) + line("prefill", prefill) + (decode.map { line("decode", $0) } ?? "")
        if let decodeRefusal { text += "decoding runs call by call: \(decodeRefusal)\n" }
        if !populations.isEmpty { text += "\ncandidates  seconds  each    GFLOP/s\n" }
        for population in populations {
            let each = population.seconds / Double(population.candidates)
            text += "\(padded("\(population.candidates)", 10, right: true))  \(fixed(population.seconds, 3))    "
            text += "\(fixed(each, 4))  \(fixed(population.rate, 1))\n"
        }
        let named = [
            ("weights", memory.weights), ("bank", memory.bank), ("keys, values", memory.cache),
            ("scratch", memory.scratch), ("peak", memory.peak),
        ]
        text += "\nmemory        MiB\n"
        for (name, bytes) in named {
            text += "\(padded(name, 12)) \(padded(fixed(Double(bytes) / 1_048_576, 1), 6, right: true))\n"
        }
        let beyond = memory.peak - memory.weights - memory.bank - memory.cache
        return text + "beyond weights, bank, keys and values: \(fixed(Double(beyond) / 1_048_576, 1)) MiB\n"
    }
}

/// The most memory that this process has held, in bytes.
private func peakMemory() -> Int {
    guard let bytes = try? Files.read("/proc/self/status", limit: 1 << 16) else { return 0 }
    let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    return (line?.split(separator: " ").dropFirst().first).flatMap { Int($0) }.map { $0 << 10 } ?? 0
}
