// Every word of the page, in both languages.

const tables = {
  en: {
    account: 'Account', accession: 'Accession', actions: 'Actions', again: 'Try again', anyDate: 'Any date',
    anyModality: 'Any modality', between: 'Between…', birth: 'Born', bodyPart: 'Body part', cancel: 'Cancel',
    changePassword: 'Change password', close: 'Close', copied: 'Link copied', copy: 'Copy link',
    currentPassword: 'Current password', date: 'Date', days7: '7 days', days30: '30 days', details: 'Details',
    dropHere: 'Drop files or folders to send them to the archive', fetchedFrom: 'Fetched from', filters: 'Filters',
    fresh: 'New studies', from: 'From', images: '{n} images', image1: '1 image', instances: '{n} objects', instance1: '1 object',
    keys: 'Keyboard', language: 'Tiếng Việt', linkFor: 'Valid for', linkHours: '24 hours', linkWeek: '7 days',
    linkMonth: '30 days', linkReady: 'Whoever has this link sees this study, and nothing else, until {when}.',
    makeLink: 'Make link', modality: 'Modality', mustChange: 'Choose a password of your own before you go on.',
    newPassword: 'New password', noName: 'Without a name', noSeries: 'No series', noStudies: 'No studies yet',
    noStudiesHint: 'Send images from a modality, or drop files here.', nothing: 'Nothing found',
    nothingHint: 'Try fewer letters, another date, or all modalities.', nothingToSend: 'No DICOM files among these',
    open: 'Open', openStudy: 'Open {name} in the viewer', password: 'Password', passwordChanged: 'Password changed',
    priors: 'Earlier and later studies', refused: 'Not kept', repeat: 'Repeat new password',
    repeatWrong: 'The two are not the same.', save: 'Save', searchHint: 'Name, ID or accession number',
    searchLabel: 'Search studies', sent: '{n} kept', sentOf: '{n} of {all}', series: '{n} series', series1: '1 series',
    share: 'Share', shareLead: 'A link opens this one study without an account.', shareStudy: 'Share {name}',
    signIn: 'Sign in', signInElsewhere: 'Sign in with the hospital account', signInLead: 'Imaging archive',
    signOut: 'Sign out', sizes: 'Size', stop: 'Stop', studies: 'Studies', studiesOf: '{n} studies', study1: '1 study',
    to: 'To', today: 'Today', tooMany: 'Too many attempts. Wait a little.', unreachable: 'The archive does not answer.',
    upload: 'Upload', uploadDone: 'Sent', uploadFiles: 'Choose files', uploadFolder: 'Choose folder',
    uploadLead: 'DICOM files and folders. They can also be dropped anywhere on the page.', uploads: 'Uploads',
    notDICOM: 'not DICOM', failedNumber: '{n} not kept', wrongPassword: 'Name or password is wrong.',
    notAllowed: 'This account may not do that.', yesterday: 'Yesterday', older: '{n} days earlier',
    newer: '{n} days later', sameDay: 'same day',
    keySearch: 'Search', keyMove: 'Move through the list', keyOpen: 'Open in the viewer', keyDetails: 'Show details',
    keyShare: 'Share', keyUpload: 'Upload', keyBack: 'Back to search, close', keyHelp: 'This list',
    code42752: 'the archive is full or busy', code43264: 'does not belong to this study', code49152: 'cannot be read',
    code49442: 'a kind that is not kept', code290: 'a kind that is not kept', code272: 'the storage failed',
    code292: 'this account may not', conflicting: 'Kept beside another of the same number',
    axial: 'axial', coronal: 'coronal', sagittal: 'sagittal', oblique: 'oblique', mixed: 'mixed', sexF: 'F', sexM: 'M',
    inbox: 'Inbox', orders: 'Orders', places: 'Places', state: 'State', anyState: 'Any state', more: 'More',
    newOrder: 'New order', enterOrder: 'Enter order', order: 'Order', order1: '1 order', ordersOf: '{n} orders',
    noOrders: 'No orders on this day', noProcedure: 'No procedure named', arrived: 'Has arrived', cancelOrder: 'Cancel order',
    orderCancelled: 'Order cancelled', orderEntered: 'Order entered', orderTwice: 'the same is ordered already',
    noImagesYet: 'No images yet', urgent: 'Urgent', reason: 'Reason', reasonIfAny: 'Reason, if there is one',
    patientCode: 'Patient code', patientName: 'Name', birthDate: 'Birth date', birthHint: 'dd/mm/yyyy or year', sex: 'Sex',
    scheduledAt: 'When', procedureCode: 'Code', procedureName: 'Procedure', visitNumber: 'Visit number', visit: 'Visit',
    priority: 'Priority', physician: 'Ordered by', clinicalReason: 'Clinical question', patientKnown: 'This patient is known.',
    'priority-ROUTINE': 'Routine', 'priority-HIGH': 'High', 'priority-STAT': 'Emergency',
    'state-ordered': 'Ordered', 'state-scheduled': 'Scheduled', 'state-arrived': 'Here', 'state-in-progress': 'In progress',
    'state-completed': 'Done', 'state-reported': 'Reported', 'state-released': 'Released', 'state-cancelled': 'Cancelled',
    waiting: 'Waiting', linksMade: 'Links made', inboxWaits: '{n} waiting', nothingWaits: 'Nothing waits',
    nothingWaitsHint: 'Every study has found its order.', noLinks: 'No links yet', couldBelong: 'Could belong to',
    nothingFits: 'No order, visit or patient fits', linkTakenAway: 'A person took its link away; no rule links it again.',
    seeImages: 'See the images', patientOnly: 'The patient, without an order', linkHere: 'Link', howSure: 'How sure',
    findOrder: 'Another order', findOrderHint: 'Accession number or patient code', find: 'Find', linkMade: 'Linked',
    linkedBy: 'Linked by {who}, {when}, {n} %.', aRule: 'a rule', takeAway: 'Take the link away', linkUndone: 'The study waits again',
    outbox: 'Outbox', fleet: 'Stations', destinations: 'Destinations', all: 'All', rate: 'Rate', oldest: 'Oldest', finish: 'Finished',
    cannotBeTold: 'cannot be told', 'nothing-': '–', since: 'since {when}', triedAgain: 'tried again {when}',
    'allows-stat': 'urgent ones only now', 'allows-closed': 'closed at this hour', allowsRate: 'limited to {rate}bit/s now',
    minutes: '{n} min', hours: '{n} h', daysLong: '{n} days', unproven: '{n} sent, not proven yet', refusedOf: '{n} may not leave',
    pause: 'Pause', resume: 'Resume', retryNow: 'Try now', hold: 'Hold', release: 'Release', first: 'First', dropIt: 'Do not send',
    held: 'Held', ledger: 'History', ledgerOf: 'Where is {name}?', notHere: 'Not here any more',
    'line-open': 'Open', 'line-paused': 'Paused', 'line-waiting': 'Does not get through', 'line-stopped': 'Takes nothing',
    'line-closed': 'Closed now', 'line-gone': 'Removed',
    'urgency-stat': 'Emergency', 'urgency-normal': 'Normal', 'urgency-bulk': 'Bulk',
    'shipment-waiting': 'Waiting', 'shipment-sent': 'Sent', 'shipment-committed': 'Proven', 'shipment-refused': 'May not leave',
    'shipment-dropped': 'Not sent', 'shipment-withdrawn': 'Withdrawn',
    'event-queued': 'queued', 'event-sent': 'sent', 'event-committed': 'arrival proven',
    'proof-commitment': 'storage commitment', 'proof-signature': 'signed receipt', proofAsked: 'asked for', proofGiven: 'given',
    proofFailed: '{n} not there',
    outboxEmpty: 'Nothing of this kind', noDestinations: 'No destinations yet',
    noDestinationsHint: 'phim destination add, and phim route add, say what is sent where.',
    noStations: 'No station has sent anything yet', noStationsHint: 'Archives that send to this one appear here.',
    lastContact: 'Last contact', diskFree: 'Free disk', ofAll: 'of {all}', newestImage: 'Newest image', version: 'Version',
    clockOff: 'Clock is off', secondsOff: '{n} s', silent: 'Silent', heard: 'In contact',
    sexO: 'Other',
  },
  vi: {
    account: 'Tài khoản', accession: 'Số phiếu', actions: 'Thao tác', again: 'Thử lại', anyDate: 'Mọi ngày',
    anyModality: 'Mọi loại máy', between: 'Khoảng ngày…', birth: 'Sinh', bodyPart: 'Vùng chụp', cancel: 'Hủy',
    changePassword: 'Đổi mật khẩu', close: 'Đóng', copied: 'Đã chép liên kết', copy: 'Chép liên kết',
    currentPassword: 'Mật khẩu hiện tại', date: 'Ngày', days7: '7 ngày', days30: '30 ngày', details: 'Chi tiết',
    dropHere: 'Thả tệp hoặc thư mục vào đây để gửi lên kho ảnh', fetchedFrom: 'Lấy từ', filters: 'Bộ lọc', fresh: 'Có ca mới',
    from: 'Từ ngày', images: '{n} ảnh', image1: '1 ảnh', instances: '{n} đối tượng', instance1: '1 đối tượng',
    keys: 'Phím tắt', language: 'English', linkFor: 'Hiệu lực trong', linkHours: '24 giờ', linkWeek: '7 ngày',
    linkMonth: '30 ngày', linkReady: 'Người có liên kết này chỉ xem được đúng ca chụp này, đến {when}.',
    makeLink: 'Tạo liên kết', modality: 'Loại máy', mustChange: 'Hãy đặt mật khẩu của riêng bạn trước khi tiếp tục.',
    newPassword: 'Mật khẩu mới', noName: 'Không có tên', noSeries: 'Không có chuỗi ảnh', noStudies: 'Chưa có ca chụp nào',
    noStudiesHint: 'Gửi ảnh từ máy chụp, hoặc thả tệp vào đây.', nothing: 'Không tìm thấy',
    nothingHint: 'Thử gõ ít chữ hơn, chọn ngày khác hoặc mọi loại máy.', nothingToSend: 'Không có tệp DICOM nào',
    open: 'Mở', openStudy: 'Mở {name} trong trình xem', password: 'Mật khẩu', passwordChanged: 'Đã đổi mật khẩu',
    priors: 'Các ca chụp trước và sau', refused: 'Không lưu được', repeat: 'Nhập lại mật khẩu mới',
    repeatWrong: 'Hai lần nhập không giống nhau.', save: 'Lưu', searchHint: 'Họ tên, mã bệnh nhân hoặc số phiếu',
    searchLabel: 'Tìm ca chụp', sent: 'Đã lưu {n}', sentOf: '{n} trên {all}', series: '{n} chuỗi', series1: '1 chuỗi',
    share: 'Chia sẻ', shareLead: 'Liên kết mở đúng một ca chụp này, không cần tài khoản.', shareStudy: 'Chia sẻ {name}',
    signIn: 'Đăng nhập', signInElsewhere: 'Đăng nhập bằng tài khoản bệnh viện', signInLead: 'Kho lưu trữ hình ảnh',
    signOut: 'Đăng xuất', sizes: 'Dung lượng', stop: 'Dừng', studies: 'Ca chụp', studiesOf: '{n} ca chụp',
    study1: '1 ca chụp', to: 'Đến ngày', today: 'Hôm nay', tooMany: 'Thử quá nhiều lần. Vui lòng đợi một lát.',
    unreachable: 'Kho ảnh không trả lời.', upload: 'Tải lên', uploadDone: 'Đã gửi', uploadFiles: 'Chọn tệp',
    uploadFolder: 'Chọn thư mục', uploadLead: 'Tệp và thư mục DICOM. Cũng có thể thả vào bất cứ đâu trên trang.',
    uploads: 'Tải lên', notDICOM: 'không phải DICOM', failedNumber: '{n} không lưu được',
    wrongPassword: 'Sai tên hoặc mật khẩu.', notAllowed: 'Tài khoản này không được phép làm việc đó.',
    yesterday: 'Hôm qua', older: 'trước {n} ngày', newer: 'sau {n} ngày', sameDay: 'cùng ngày',
    keySearch: 'Tìm kiếm', keyMove: 'Di chuyển trong danh sách', keyOpen: 'Mở trong trình xem', keyDetails: 'Xem chi tiết',
    keyShare: 'Chia sẻ', keyUpload: 'Tải lên', keyBack: 'Trở lại ô tìm, đóng', keyHelp: 'Bảng này',
    code42752: 'kho ảnh đã đầy hoặc đang bận', code43264: 'không thuộc ca chụp này', code49152: 'không đọc được',
    code49442: 'loại không lưu được', code290: 'loại không lưu được', code272: 'lỗi lưu trữ',
    code292: 'tài khoản không được phép', conflicting: 'Đã lưu bên cạnh một ảnh trùng số',
    axial: 'cắt ngang', coronal: 'đứng ngang', sagittal: 'đứng dọc', oblique: 'cắt chếch', mixed: 'nhiều hướng',
    sexF: 'Nữ', sexM: 'Nam',
    inbox: 'Chờ ghép', orders: 'Chỉ định', places: 'Các mục', state: 'Trạng thái', anyState: 'Mọi trạng thái', more: 'Xem thêm',
    newOrder: 'Thêm chỉ định', enterOrder: 'Lưu chỉ định', order: 'Chỉ định', order1: '1 chỉ định', ordersOf: '{n} chỉ định',
    noOrders: 'Không có chỉ định trong ngày này', noProcedure: 'Chưa ghi dịch vụ', arrived: 'Đã đến', cancelOrder: 'Hủy chỉ định',
    orderCancelled: 'Đã hủy chỉ định', orderEntered: 'Đã lưu chỉ định', orderTwice: 'đã có chỉ định giống hệt',
    noImagesYet: 'Chưa có hình ảnh', urgent: 'Khẩn', reason: 'Lý do', reasonIfAny: 'Lý do (nếu có)',
    patientCode: 'Mã người bệnh', patientName: 'Họ tên', birthDate: 'Ngày sinh', birthHint: 'nn/tt/nnnn hoặc năm', sex: 'Giới tính',
    scheduledAt: 'Thời gian', procedureCode: 'Mã dịch vụ', procedureName: 'Tên dịch vụ', visitNumber: 'Mã lượt khám (MA_LK)',
    visit: 'Lượt khám', priority: 'Mức ưu tiên', physician: 'Bác sĩ chỉ định', clinicalReason: 'Chẩn đoán, yêu cầu',
    patientKnown: 'Người bệnh đã có trong kho.',
    'priority-ROUTINE': 'Thường', 'priority-HIGH': 'Ưu tiên', 'priority-STAT': 'Cấp cứu',
    'state-ordered': 'Đã chỉ định', 'state-scheduled': 'Đã hẹn', 'state-arrived': 'Đã đến', 'state-in-progress': 'Đang chụp',
    'state-completed': 'Đã chụp', 'state-reported': 'Đã đọc', 'state-released': 'Đã trả', 'state-cancelled': 'Đã hủy',
    waiting: 'Đang chờ', linksMade: 'Đã ghép', inboxWaits: '{n} ca đang chờ', nothingWaits: 'Không có ca nào chờ',
    nothingWaitsHint: 'Mọi ca chụp đều đã có chỉ định.', noLinks: 'Chưa ghép ca nào', couldBelong: 'Có thể thuộc về',
    nothingFits: 'Không có chỉ định, lượt khám hay người bệnh phù hợp',
    linkTakenAway: 'Đã có người gỡ ghép; máy không tự ghép lại.',
    seeImages: 'Xem ảnh', patientOnly: 'Chỉ người bệnh, không có chỉ định', linkHere: 'Ghép', howSure: 'Độ chắc chắn',
    findOrder: 'Chỉ định khác', findOrderHint: 'Số phiếu hoặc mã người bệnh', find: 'Tìm', linkMade: 'Đã ghép',
    linkedBy: 'Ghép bởi {who}, {when}, {n} %.', aRule: 'máy', takeAway: 'Gỡ ghép', linkUndone: 'Ca chụp lại chờ ghép',
    outbox: 'Gửi đi', fleet: 'Trạm', destinations: 'Nơi nhận', all: 'Tất cả', rate: 'Tốc độ', oldest: 'Lâu nhất', finish: 'Dự kiến xong',
    cannotBeTold: 'chưa tính được', 'nothing-': '–', since: 'từ {when}', triedAgain: 'thử lại {when}',
    'allows-stat': 'lúc này chỉ gửi ca cấp cứu', 'allows-closed': 'giờ này không gửi', allowsRate: 'lúc này tối đa {rate}bit/s',
    minutes: '{n} phút', hours: '{n} giờ', daysLong: '{n} ngày', unproven: '{n} ca đã gửi, chưa xác nhận', refusedOf: '{n} ca không được phép gửi',
    pause: 'Tạm dừng', resume: 'Tiếp tục', retryNow: 'Thử ngay', hold: 'Giữ lại', release: 'Cho gửi', first: 'Gửi trước', dropIt: 'Không gửi',
    held: 'Đang giữ', ledger: 'Lịch sử', ledgerOf: '{name} đang ở đâu?', notHere: 'Không còn ở đây',
    'line-open': 'Thông suốt', 'line-paused': 'Tạm dừng', 'line-waiting': 'Không gửi được', 'line-stopped': 'Từ chối nhận',
    'line-closed': 'Chưa đến giờ gửi', 'line-gone': 'Đã gỡ',
    'urgency-stat': 'Cấp cứu', 'urgency-normal': 'Thường', 'urgency-bulk': 'Hàng loạt',
    'shipment-waiting': 'Đang chờ', 'shipment-sent': 'Đã gửi', 'shipment-committed': 'Đã xác nhận', 'shipment-refused': 'Không được phép gửi',
    'shipment-dropped': 'Không gửi', 'shipment-withdrawn': 'Đã rút lại',
    'event-queued': 'vào hàng chờ', 'event-sent': 'đã gửi', 'event-committed': 'đã xác nhận nhận đủ',
    'proof-commitment': 'xác nhận lưu trữ', 'proof-signature': 'biên nhận có chữ ký', proofAsked: 'đã yêu cầu', proofGiven: 'đã nhận',
    proofFailed: 'thiếu {n} đối tượng',
    outboxEmpty: 'Không có ca nào', noDestinations: 'Chưa có nơi nhận',
    noDestinationsHint: 'Dùng lệnh phim destination add và phim route add để chọn gửi gì, đi đâu.',
    noStations: 'Chưa có trạm nào gửi đến', noStationsHint: 'Các kho ảnh gửi đến kho này sẽ hiện ở đây.',
    lastContact: 'Liên lạc cuối', diskFree: 'Đĩa còn trống', ofAll: 'trên {all}', newestImage: 'Ảnh mới nhất', version: 'Phiên bản',
    clockOff: 'Đồng hồ lệch', secondsOff: '{n} giây', silent: 'Mất liên lạc', heard: 'Có liên lạc',
    sexO: 'Khác',
  },
};

const KEPT = 'phim-language';
let language = localStorage.getItem(KEPT);
if (!(language in tables)) language = navigator.languages?.some((tag) => tag.startsWith('vi')) ? 'vi' : 'en';

export const current = () => language;
export const known = (key) => key in tables[language];

/** The text of a key; `{name}` is filled from the values. */
export function t(key, values = {}) {
  const text = tables[language][key] ?? tables.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** `1 image`, `3 images`. */
export const counted = (one, many, n) => (n === 1 ? t(one) : t(many, { n: n.toLocaleString(language) }));

/** Fills every element that names a text. */
export function applyTexts(root = document) {
  document.documentElement.lang = language;
  for (const element of root.querySelectorAll('[data-t]')) element.textContent = t(element.dataset.t);
  for (const element of root.querySelectorAll('[data-t-label]')) element.ariaLabel = t(element.dataset.tLabel);
  for (const element of root.querySelectorAll('[data-t-placeholder]')) {
    element.placeholder = t(element.dataset.tPlaceholder);
  }
}

export function toggleLanguage() {
  language = language === 'vi' ? 'en' : 'vi';
  localStorage.setItem(KEPT, language);
  applyTexts();
}

const parsed = (da) => (/^\d{8}$/.test(da) ? new Date(+da.slice(0, 4), +da.slice(4, 6) - 1, +da.slice(6)) : null);

/** A DICOM date as people here write it; what is no date as it is. */
export function date(da) {
  const when = parsed(da.replaceAll('-', ''));
  if (!when) return da;
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - when) / 86_400_000);
  if (days === 0) return t('today');
  if (days === 1) return t('yesterday');
  return when.toLocaleDateString(language === 'vi' ? 'vi-VN' : 'en-GB', { day: '2-digit', month: '2-digit', year: 'numeric' });
}

export const time = (tm) => (/^\d{4}/.test(tm) ? `${tm.slice(0, 2)}:${tm.slice(2, 4)}` : '');

export const moment = (iso) =>
  new Date(iso).toLocaleString(language === 'vi' ? 'vi-VN' : 'en-GB', { dateStyle: 'medium', timeStyle: 'short' });

export function size(bytes) {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let unit = 0;
  while (bytes >= 1000 && unit < units.length - 1) {
    bytes /= 1000;
    unit += 1;
  }
  return `${bytes.toLocaleString(language, { maximumFractionDigits: bytes < 10 && unit > 0 ? 1 : 0 })} ${units[unit]}`;
}

/** Both tables have the same keys; a test asks. */
export const missing = () => {
  const [en, vi] = [Object.keys(tables.en), Object.keys(tables.vi)];
  return [...en.filter((key) => !vi.includes(key)), ...vi.filter((key) => !en.includes(key))];
};
