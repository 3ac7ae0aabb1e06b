import Testing

@testable import Compute

@Suite struct CUDALibrariesTests {
    @Test func theConfiguredFolderComesFirst() {
        let places = CUDALibraries.candidates(.blas, folder: "/opt/cuda", version: 13)
        #expect(
            places.prefix(4) == [
                "/opt/cuda/libcublas.so.13", "/opt/cuda/libcublas.so.12", "libcublas.so.13", "libcublas.so.12",
            ])
    }

    @Test func whatIsNewerThanTheDriverIsPassedOver() {
        #expect(CUDALibraries.candidates(.compiler, folder: nil, version: 12).allSatisfy { $0.hasSuffix(".so.12") })
        #expect(CUDALibraries.candidates(.driver, folder: nil, version: 12).contains("libcuda.so.1"))
        #expect(
            CUDALibraries.candidates(.driver, folder: nil, version: 12).contains("/usr/local/nvidia/lib64/libcuda.so.1")
        )
    }

    @Test func aDriverBeforeCUDA12HasNone() {
        #expect(CUDALibraries.candidates(.blas, folder: "/opt/cuda", version: 11).isEmpty)
    }
}
