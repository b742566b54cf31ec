// How this program names itself on the network and in files: the same everywhere.

import DICOMCore
package import DICOMNetwork

extension ImplementationIdentity {
    /// The implementation that also stands in the file headers that we write (PS3.7 Annex D.3.3.2).
    package static let phim = ImplementationIdentity(
        classUID: Part10.implementationClassUID, versionName: Part10.implementationVersionName)
}
