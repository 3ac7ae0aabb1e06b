import FoundationEssentials
import Methods
import Posix

/// A cohort's journal on disk: a line that says whose run it is, then a line a round.
///
/// A line that was cut off by a crash is dropped with its round, which is then evaluated again whole.
struct FileJournal: Journal {
    let path: String
    private(set) var rounds: [[RoundResult?]] = []

    /// Opens the journal at `path`; one of another run is begun anew, since its numbers mean
    /// nothing to this one.
    ///
    /// - Parameter run: what determines the run's numbers, in one line.
    init(_ path: String, run: String) throws(PosixError) {
        self.path = path
        let header = "primed-journal 2 \(run)"
        let lines = try Files.readIfPresent(path, limit: 1 << 32)?.split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        var kept = Array("\(header)\n".utf8)
        if let lines, let first = lines.first, String(decoding: first, as: UTF8.self) == header {
            // What follows the last line feed was not finished.
            for line in lines.dropFirst().dropLast() {
                guard let round = try? JSONDecoder().decode([RoundResult?].self, from: Data(line)) else { break }
                rounds.append(round)
                kept += line + [UInt8(ascii: "\n")]
            }
        }
        try Files.writeAtomically(kept, to: path, mode: 0o600)
    }

    mutating func append(_ round: [RoundResult?]) throws(MethodError) {
        do {
            let line = try JSONEncoder().encode(round)
            try Files.append(Array(line) + [UInt8(ascii: "\n")], to: path, mode: 0o600)
        } catch let error as PosixError {
            throw MethodError(
                .storage, path, found: "the evaluations cannot be written (\(error))",
                remedy: "make room on the disk; the job goes on from its last round")
        } catch {
            throw MethodError(
                .journal, path, found: "scores that are no numbers", remedy: "look at the task's metrics and labels")
        }
        rounds.append(round)
    }
}
