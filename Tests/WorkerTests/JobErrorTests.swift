import Checkpoints
import Glibc
import Posix
import Testing

@testable import Worker

@Suite struct JobErrorTests {
    @Test func whatMayPassIsTriedAgain() {
        let isPermanent = { (code: CheckpointError.Code) in
            JobError(CheckpointError(code, "model", found: "this", remedy: "do that")).isPermanent
        }
        #expect(isPermanent(.unreadable))
        #expect(isPermanent(.malformed))
        #expect(!isPermanent(.unavailable))
        #expect(!JobError(PosixError(call: "write", path: "model", errno: ENOSPC)).isPermanent)
    }
}
