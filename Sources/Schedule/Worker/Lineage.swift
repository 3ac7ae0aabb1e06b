import FoundationEssentials
import Posix
import Spool

/// Published adapters that a sharer's adapter went into.
public struct Lineage: Sendable, Equatable {
    /// One adapter that carries something of the sharer.
    public struct Descendant: Codable, Sendable, Equatable {
        public let job: String
        public let user: String
        /// The adapter's folder.
        public let adapter: String
        /// The pool that the sharer was taken from; nil where the manifest named its adapter, and in results of before 0.2.
        public let pool: String?
        /// The sharer's weight; one a layer where they differ.
        public let weights: [Double]
    }

    public var descendants: [Descendant] = []
    /// Results that could not be read, by their paths: something may be missing above.
    public var unreadable: [String] = []
    /// Whether any result names the sharer, with whatever weight.
    public var isNamed = false

    /// Reads every result in an outbox, and the targets that jobs under way have published.
    ///
    /// - Parameter pool: only of this pool; results that do not say which count, too.
    public init(of sharer: String, pool: String? = nil, outbox: String) throws(PosixError) {
        // The daemon makes it.
        guard try Files.isPresent(outbox) else { return }
        for job in try Files.list(outbox) where !job.hasPrefix(".") {
            let path = "\(outbox)/\(job)/\(Outbox.resultFile)"
            guard try Files.isPresent(path) else {
                if try Self.isFolder("\(outbox)/\(job)") { try addTargets(of: job, sharer, outbox) }
                continue
            }
            guard let bytes = try? Files.read(path, limit: 1 << 30),
                let result = try? JSONDecoder().decode(Published.self, from: Data(bytes))
            else {
                unreadable.append(path)
                continue
            }
            if let pool, let other = result.pool, other != pool { continue }
            if result.targets?.contains(where: { $0.sharers?.contains(sharer) == true }) == true { isNamed = true }
            for target in result.targets ?? [] where target.status == TargetResult.Status.done.rawValue {
                guard let place = target.sharers?.firstIndex(of: sharer), let weights = target.weights else { continue }
                let own = weights.perSharer.compactMap { $0.indices.contains(place) ? $0[place] : nil }
                guard own.contains(where: { $0 != 0 }) else { continue }
                descendants.append(
                    Descendant(
                        job: job, user: target.user, adapter: "\(outbox)/\(job)/\(target.user)/adapter",
                        pool: result.pool, weights: own))
            }
        }
    }

    /// Of a job under way, whose targets say themselves what went into them; their pool is not known.
    private mutating func addTargets(of job: String, _ sharer: String, _ outbox: String) throws(PosixError) {
        struct Record: Decodable {
            struct Sharer: Decodable {
                let id: String
                let weights: [Double]
            }
            let outcome: String
            let sharers: [Sharer]
        }
        for user in try Files.list("\(outbox)/\(job)") {
            let folder = "\(outbox)/\(job)/\(user)"
            guard try Self.isFolder(folder) else { continue }
            guard let bytes = try? Files.read("\(folder)/privacy.json", limit: 1 << 30),
                let record = try? JSONDecoder().decode(Record.self, from: Data(bytes))
            else {
                unreadable.append("\(folder)/privacy.json")
                continue
            }
            if record.sharers.contains(where: { $0.id == sharer }) { isNamed = true }
            guard record.outcome == "merged", try Files.isPresent("\(folder)/adapter"),
                let own = record.sharers.first(where: { $0.id == sharer })?.weights, own.contains(where: { $0 != 0 })
            else { continue }
            descendants.append(
                Descendant(job: job, user: user, adapter: "\(folder)/adapter", pool: nil, weights: own))
        }
    }

    private static func isFolder(_ path: String) throws(PosixError) -> Bool {
        try Files.statusIfPresent(path)?.kind == .directory
    }

    /// What matters of a result, whatever else stands in it.
    private struct Published: Decodable {
        struct Target: Decodable {
            let user: String
            let status: String
            let sharers: [String]?
            let weights: Weights?
        }

        let pool: String?
        let targets: [Target]?
    }
}
