import FoundationEssentials
import Posix

/// How a job is being published; in the folder of a kept job, how it was.
struct Publication: Codable, Equatable {
    /// In the outbox.
    let name: String
    let digest: String
    /// What the result says.
    let status: JobStatus
    let code: String?
    /// When the publication began, in seconds since 1970.
    let time: Int64
    let isKept: Bool

    func renamed(_ name: String) -> Publication {
        Publication(name: name, digest: digest, status: status, code: code, time: time, isKept: isKept)
    }
}

extension JobFolder {
    func readPublication() throws(PosixError) -> Publication? {
        guard let bytes = try Files.readIfPresent(publication, limit: 1 << 16) else { return nil }
        return try? JSONDecoder().decode(Publication.self, from: Data(bytes))
    }

    func forgetPublication() throws(PosixError) {
        if try Files.isPresent(publication) { try Files.remove(publication) }
    }

    func write(_ value: Publication) throws(PosixError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings and numbers only: there is nothing that cannot be encoded.
        try Files.writeAtomically(Array((try? encoder.encode(value)) ?? Data()), to: publication, mode: 0o600)
    }
}
