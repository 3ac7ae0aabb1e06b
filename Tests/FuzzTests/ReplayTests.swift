import FoundationEssentials
import Fuzz
import Glibc
import Testing

/// The committed inputs of each fuzzed reader through the fuzzer's own entry, without the fuzzer.
@Suite struct ReplayTests {
    @Test(arguments: Reader.allCases) func everyInputIsReadOrRefused(_ reader: Reader) throws {
        let folder = "/\(#filePath.split(separator: "/").dropLast(2).joined(separator: "/"))/Fuzz"
        let feeder = Feeder()
        var (inputs, accepted) = (0, 0)
        for kind in ["seeds", "corpus"] {
            let names = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(kind)/\(reader)").sorted()
            #expect(!names.isEmpty)
            for name in names {
                let input = "\(kind)/\(reader)/\(name)"
                let bytes = try [UInt8](Data(contentsOf: URL(filePath: "\(folder)/\(input)")))
                let start = processorSeconds()
                do {
                    if try feeder.feed(bytes, to: reader) { accepted += 1 }
                } catch {
                    Issue.record("\(input): \(error)")
                }
                let seconds = processorSeconds() - start
                #expect(seconds < 1, "\(input): \(seconds) s for \(bytes.count) bytes")
                inputs += 1
            }
        }
        // Both ways through each reader.
        #expect(accepted > 0 && accepted < inputs, "\(accepted) of \(inputs) accepted")
    }

    /// Of this thread, so that tests beside it do not count.
    private func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
