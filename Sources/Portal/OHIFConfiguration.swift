// The viewer's configuration, made for the caller: where the archive is, and what may be done with it.

package import Access

/// `app-config.js` of OHIF version 3.
package struct OHIFConfiguration {
    /// Whether the viewer offers to send files.
    let mayStore: Bool
    /// A link opens one study: its viewer has no list.
    let showsList: Bool

    package init(caller: Caller?) {
        guard let caller else {
            (mayStore, showsList) = (false, false)
            return
        }
        mayStore = (try? Rules.check(caller, may: .store)) != nil
        if case .link = caller.credential { showsList = false } else { showsList = true }
    }

    /// The script that the viewer reads before it starts.
    package var script: String {
        """
        window.config = {
          routerBasename: '/ohif/',
          showStudyList: \(showsList),
          extensions: [],
          modes: [],
          customizationService: {},
          showWarningMessageForCrossOrigin: false,
          showCPUFallbackMessage: true,
          showLoadingIndicator: true,
          strictZSpacingForVolumeViewport: true,
          useSharedArrayBuffer: 'AUTO',
          maxNumberOfWebWorkers: Math.min(navigator.hardwareConcurrency || 2, 4),
          maxNumRequests: { interaction: 100, thumbnail: 6, prefetch: 25 },
          investigationalUseDialog: { option: 'configure', days: 90 },
          whiteLabeling: {
            createLogoComponentFn: (React) => React.createElement(
              'a', { href: '/', title: 'Phim', style: { color: '#fff', fontWeight: 600, padding: '0 .75rem' } },
              'Phim'),
          },
          defaultDataSourceName: 'dicomweb',
          dataSources: [
            {
              namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
              sourceName: 'dicomweb',
              configuration: {
                friendlyName: 'Phim',
                name: 'Phim',
                qidoRoot: '/dicom-web',
                wadoRoot: '/dicom-web',
                wadoUriRoot: '/wado',
                qidoSupportsIncludeField: true,
                supportsReject: false,
                supportsFuzzyMatching: true,
                supportsWildcard: true,
                imageRendering: 'wadors',
                thumbnailRendering: 'wadors',
                enableStudyLazyLoad: true,
                dicomUploadEnabled: \(mayStore),
                omitQuotationForMultipartRequest: true,
                bulkDataURI: { enabled: true, relativeResolution: 'studies' },
              },
            },
          ],
          httpErrorHandler: (error) => {
            if (error && error.status === 401) {
              window.location.assign('/?return=' + encodeURIComponent(window.location.pathname + window.location.search));
            }
          },
        };

        """
    }
}
