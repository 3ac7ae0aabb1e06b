import StandIn
import Testing

@testable import Compute

/// Whose fault it is that a GPU cannot be had.
@Suite struct CUDADeviceTests {
    private func code(_ body: () throws -> Void) -> ComputeError.Code? {
        do {
            try body()
            return nil
        } catch {
            return (error as? ComputeError)?.code
        }
    }

    @Test func memoryThatOthersHoldMayBeHadLater() throws {
        let other = try StandIn.device()
        var (free, total) = (0, 0)
        #expect(other.libraries.driver.memory_info(&free, &total) == 0)
        #expect(code { _ = try StandIn.device(bytes: total) } == .notReady)
        #expect(code { _ = try StandIn.device(bytes: total + 1) } == .memory)
        withExtendedLifetime(other) {}
    }

    @Test func aGPUThatIsNotThereMayComeBack() throws {
        let libraries = try CUDALibraries(folder: StandIn.folder())
        #expect(code { _ = try CUDADevice(libraries, ordinal: 7) } == .notReady)
    }
}
