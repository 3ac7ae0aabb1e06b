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

    /// Tokens a second.
    struct Rates: Encodable {
        let prefill: Double
        /// nil where nothing was decoded.
        let decode: Double?
    }

    let device: String
    let threads: Int
    /// Of the fastest round, by phase.
    var seconds: [String: Double] = [:]
    /// GFLOP/s of the whole device: the model's products, and one large product of its own library in the same round.
    var productRate = 0.0
    var largeRate = 0.0
    /// The products' share of the job's wall-clock time.
    var productShare = 0.0
    var populations: [Population] = []
    var rates = Rates(prefill: 0, decode: nil)
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
        memory = Memory(
            weights: statistics.weightBytes, bank: statistics.bankBytes, cache: statistics.cacheBytes,
            scratch: statistics.scratchBytes, peak: peakMemory())
    }

    var table: String {
        var text = "device \(device), threads \(threads)\n\nphase        seconds\n"
        for phase in ["load", "prepare", "references", "search", "queries", "total"] {
            text += "\(padded(phase, 12)) \(padded(fixed(seconds[phase] ?? 0, 3), 7, right: true))\n"
        }
        text += "\nmodel's products  \(fixed(productRate, 1)) GFLOP/s, \(fixed(100 * productRate / largeRate, 0))% of "
        text += "one large product (\(fixed(largeRate, 1)))\n"
        text += "products' share   \(fixed(100 * productShare, 0))% of the job's time\n"
        text += "prefill \(fixed(rates.prefill, 0)) tokens/s"
        text += (rates.decode.map { ", decode \(fixed($0, 0)) tokens/s" } ?? "") + "\n"
        text += "\ncandidates  seconds  each    GFLOP/s\n"
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
