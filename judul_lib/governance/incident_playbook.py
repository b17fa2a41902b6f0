"""What to do when something went wrong: for each kind the steps, who is told, and when it is over.

Each alert of `judul_lib.usage.alerts` is a kind, with its level from there; the others
are what no measure of the log shows. Commands stand in backticks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from judul_lib.governance.privacy import LAW
from judul_lib.usage.alerts import (
    ALERTS,
    DRIFT,
    EMPTY,
    ERRORS,
    FAILED,
    FUTURE,
    INCIDENT_LEVELS,
    SILENT,
    SLOW,
)

BREACH_NOTICE = "3 × 24 jam"
"""Within what a failure to protect personal data is told in writing (Law No. 27 of 2022, article 46)."""

BREACH, TAMPERED, TRAIL, KEY = "data-pribadi", "model-diubah", "jejak-audit", "kunci-hilang"
DATABASE, BAD_VERSION = "basis-data-rusak", "versi-buruk"
_KEEPER, _HEAD = "pengelola halaman", "penyetuju model dan ketua program studi"
_BACKUP = "outputs/backups/mingguan.zip"


@dataclass(frozen=True)
class Incident:
    """A kind of incident.

    Attributes
    ----------
    level : str
        One of `judul_lib.usage.alerts.INCIDENT_LEVELS`.
    title : str
    steps : tuple of str
        In their order.
    told, written, over : str
        Who is told; what is written where; by what one sees that it is over.
    """

    level: str
    title: str
    steps: tuple[str, ...]
    told: str
    written: str
    over: str

    @property
    def within(self) -> str:
        """How soon somebody has to look at it."""
        return INCIDENT_LEVELS[self.level].within


PLAYBOOK: Mapping[str, Incident] = MappingProxyType(
    {
        FAILED: Incident(
            ALERTS[FAILED].level,
            "Model tidak dapat dimuat",
            (
                "Lihat model mana dan sejak kapan: `judul monitor --days 7`.",
                'Coba sendiri, dan baca alasannya: `judul check "Prediksi Harga Beras" --model light`.',
                "Bandingkan berkasnya dengan hash yang tercatat: `judul models verify` dan "
                "`judul govern check`. Bila berbeda, lanjutkan dengan `judul govern playbook "
                "model-diubah`.",
                "Bila hanya versi yang berlaku yang rusak, kembali ke versi sebelumnya: `judul models "
                'rollback light --reason "versi rusak" --approver "nama"`.',
                "Bila tidak ada versi sebelumnya, buat lagi modelnya: `make run`.",
            ),
            f"{_KEEPER}; pengguna, lewat pengumuman, bila halaman tidak dapat dipakai",
            "pengembalian versi tercatat sendiri di jejak audit, dengan alasannya",
            "`judul check` menjawab, dan `judul monitor --once` tidak menyebutnya lagi",
        ),
        SILENT: Incident(
            ALERTS[SILENT].level,
            "Tidak ada jawaban sama sekali",
            (
                'Periksa satu judul tanpa halaman: `judul check "Prediksi Harga Beras"`.',
                "Bila itu menjawab, mulai ulang halamannya: `judul app`, atau layanan yang "
                "menjalankannya.",
                "Lihat jenis galat dan sejak kapan: `judul monitor --days 2`.",
                "Periksa ruang disk dan `judul.toml`; perubahan terakhir adalah tersangka pertama.",
            ),
            f"{_KEEPER}; pengguna, lewat pengumuman",
            'sebabnya di jejak audit: `judul govern reviewed peringatan --reason "sebab dan tindakan"`',
            "halaman menjawab, dan `judul monitor --once` tidak menyebutnya lagi",
        ),
        SLOW: Incident(
            ALERTS[SLOW].level,
            "Jawaban terlalu lama",
            (
                "Lihat seberapa lama dan pada jam berapa: `judul monitor --days 7`.",
                "Periksa beban mesin; pekerjaan besar lain dijalankan malam hari.",
                "Untuk arsip besar, bangun indeks: `judul index build arsip.csv indeks`.",
            ),
            _KEEPER,
            'sebabnya di jejak audit: `judul govern reviewed peringatan --reason "sebab dan tindakan"`',
            "95 dari 100 jawaban dua hari terakhir kembali di bawah batas di `judul monitor`",
        ),
        DRIFT: Incident(
            ALERTS[DRIFT].level,
            "Judul yang masuk bergeser dari garis dasar",
            (
                "Lihat model dan ukuran mana yang bergeser: `judul monitor --days 14`.",
                "Buka laporan 08 atas catatan sungguhan: `judul run -p LOG ../outputs/logs`.",
                "Bila topiknya memang berubah, perbarui arsip dan latih lagi: `judul retrain light`.",
                "Berlakukan hanya bila tidak lebih buruk: `judul retrain light --promote "
                '--reason "topik berubah" --approver "nama"`.',
                "Bila hanya satu pengguna atau satu berkas penyebabnya, biarkan modelnya.",
            ),
            "penyetuju model",
            "pelatihan dan pemberlakuan tercatat sendiri; bila modelnya dibiarkan: "
            '`judul govern reviewed pergeseran --reason "mengapa dibiarkan"`',
            "tujuh hari terakhir kembali di dalam batas, terhadap garis dasar versi yang berlaku",
        ),
        ERRORS: Incident(
            ALERTS[ERRORS].level,
            "Terlalu banyak pemeriksaan berakhir dengan galat",
            (
                "Lihat bagian dan jenis galat: `judul monitor --days 7`.",
                "Ulangi yang gagal: berkas yang ditolak, judul kosong, atau arsip yang hilang.",
                "Bila berkas pengguna penyebabnya, perbaiki petunjuk di halaman; bila kode, laporkan.",
            ),
            _KEEPER,
            'sebabnya di jejak audit: `judul govern reviewed peringatan --reason "sebab dan tindakan"`',
            "bagian galat tujuh hari terakhir kembali di bawah batas",
        ),
        EMPTY: Incident(
            ALERTS[EMPTY].level,
            "Terlalu banyak jawaban tanpa hasil",
            (
                'Periksa judul yang pasti ada di arsip: `judul check "judul dari arsip" --corpus '
                "arsip.csv`.",
                "Bila arsipnya indeks, periksa isinya: `judul index info indeks`.",
                "Bila arsip terpotong, pulihkan dari sumbernya dan bangun lagi: `judul index build "
                "arsip.csv indeks`.",
            ),
            f"{_KEEPER} dan pemilik arsip",
            'sebabnya di jejak audit: `judul govern reviewed peringatan --reason "sebab dan tindakan"`',
            "bagian tanpa hasil tujuh hari terakhir kembali di bawah batas",
        ),
        FUTURE: Incident(
            ALERTS[FUTURE].level,
            "Catatan bertanggal di masa depan",
            (
                "Betulkan jam mesin (NTP), juga zona waktunya.",
                "Lihat berapa baris yang belum ikut dihitung: `judul monitor --once`.",
                "Jangan ubah barisnya: masing-masing ikut dihitung setelah waktunya tiba, dan masa "
                "simpan tetap menghapusnya.",
            ),
            _KEEPER,
            'jam yang salah, dari kapan sampai kapan: `judul govern reviewed peringatan --reason "jam '
            'mesin"`',
            "`judul monitor --once` tidak menyebutnya lagi",
        ),
        BREACH: Incident(
            "P1",
            "Data pribadi terbuka, hilang, atau diakses orang yang tidak berhak",
            (
                "Hentikan dahulu: ganti `JUDUL_TOKEN`, tutup akses ke folder log dan cadangan. Catat "
                "jam ditemukannya.",
                "Simpan bukti sebelum apa pun diubah: `judul govern backup outputs/backups/bukti.zip "
                '--reason "bukti insiden"`.',
                "Lihat apa yang terbuka: `judul govern check` menyebutkan apakah ada teks asli di log, "
                "`judul govern audit` siapa yang mengekspor atau mencadangkan, `judul govern verify` "
                "apakah jejaknya utuh.",
                f"Paling lambat {BREACH_NOTICE}: beri tahu secara tertulis orang yang datanya terbuka "
                f"dan lembaga pelindungan data pribadi ({LAW}, Pasal 46 ayat (1)). Isinya paling "
                "sedikit: data apa yang terungkap, kapan dan bagaimana, serta upaya penanganan dan "
                "pemulihannya (ayat (2)). Dalam hal tertentu masyarakat juga diberi tahu (ayat (3)).",
                "Log hanya mengenal nama samaran: pengguna diberi tahu lewat saluran kampus, dan siapa "
                "yang meminta datanya dihapus: `judul govern forget --user 0123456789abcdef --reason "
                '"permintaan tertulis"`.',
                "Bila kunci nama samaran ikut terbuka, lanjutkan dengan `judul govern playbook "
                "kunci-hilang`.",
            ),
            "pimpinan dan pejabat pelindungan data kampus pada jam yang sama; lalu orang yang datanya "
            f"terbuka dan lembaga pelindungan data pribadi, paling lambat {BREACH_NOTICE}",
            "kronologi dan salinan pemberitahuan di arsip kampus; ringkasnya di jejak audit: "
            '`judul govern reviewed akses --reason "nomor surat"`',
            "pemberitahuan terkirim, jalan masuknya tertutup, dan `judul govern check` lulus",
        ),
        TAMPERED: Incident(
            "P1",
            "Berkas model berbeda dari hash yang tercatat",
            (
                "Jangan memuatnya; `judul` sendiri menolaknya. Salin folder itu sebagai bukti.",
                "Lihat berkas mana: `judul models verify`, `judul govern check`, dan `git status`.",
                "Kembali ke versi yang utuh: `judul models rollback light --reason "
                '"berkas diubah" --approver "nama"`; atau pulihkan semuanya: '
                f"`judul govern restore {_BACKUP} --force` (isi lama disimpan di sampingnya).",
                "Cari tahu siapa yang dapat menulis di folder model, dan cabut hak itu: `judul govern "
                "audit`.",
            ),
            _HEAD,
            "pengembalian dan pemulihan tercatat sendiri; hak yang dicabut: "
            '`judul govern reviewed akses --reason "hak yang dicabut"`',
            "`judul models verify` dan `judul govern check` lulus",
        ),
        TRAIL: Incident(
            "P2",
            "Jejak audit tidak utuh",
            (
                "Lihat baris mana yang diubah, hilang, atau dipindahkan: `judul govern verify`.",
                "Simpan keadaannya sebagai bukti: `judul govern backup outputs/backups/bukti.zip "
                '--reason "jejak audit rusak"`.',
                "Bandingkan dengan cadangan di folder lain; bila log di PostgreSQL, kosongkan dahulu "
                f"`JUDUL_DATABASE_URL`: `judul govern restore {_BACKUP} --models build/pembanding`, "
                "lalu `judul govern audit --models build/pembanding` di samping `judul govern audit`.",
                "Jangan menulis ulang baris apa pun. Jejak cadangan dipakai lagi hanya setelah "
                f"disepakati: `judul govern restore {_BACKUP} --force`.",
            ),
            _HEAD,
            'apa yang ditemukan: `judul govern reviewed jejak-audit --reason "baris dan sebabnya"`',
            "`judul govern verify` lulus; baris yang hilang dijelaskan di jejak yang baru",
        ),
        KEY: Incident(
            "P2",
            "Kunci nama samaran hilang atau diketahui orang lain",
            (
                "Hilang: salin `log/log.key` dari cadangan terakhir ke folder log sebelum halaman "
                "dijalankan lagi, atau beri lewat `JUDUL_LOG_KEY`. Tanpa itu kunci baru dibuat, dan "
                "orang serta judul yang sama tampak sebagai yang baru.",
                "Tidak ada di cadangan mana pun: teruskan dengan kunci baru. Catatan lama tetap dapat "
                "dihitung dan dihapus menurut umurnya: `judul govern retention --days 90`.",
                "Diketahui orang lain: judul dapat ditebak dari sidiknya. Ganti kuncinya, pendekkan "
                "masa simpan (`judul govern retention --days 1`), hapus cadangan lama, dan perlakukan "
                "sebagai `judul govern playbook data-pribadi`.",
            ),
            f"{_KEEPER}; pejabat pelindungan data kampus bila kunci diketahui orang lain",
            'hari penggantian kunci: `judul govern reviewed akses --reason "kunci diganti"`',
            "pemeriksaan baru memakai kunci yang benar dan hanya pemiliknya dapat membaca `log.key`",
        ),
        DATABASE: Incident(
            "P2",
            "Basis data log rusak",
            (
                "Halaman tetap menjawab: berkas yang rusak disisihkan sebagai `judul.db.rusak-…` dan "
                "yang baru dimulai. Jangan hapus yang disisihkan.",
                "Periksa disk dan ruangnya, lalu lihat cadangan terakhir: `judul govern calendar`.",
                f"Pulihkan: `judul govern restore {_BACKUP}`; bila log baru sudah berisi, tambahkan "
                f"`--force`: `judul govern restore {_BACKUP} --force`.",
                "Periksa hasilnya: `judul govern verify` dan `judul govern check`.",
            ),
            _KEEPER,
            "pemulihan tercatat sendiri di jejak audit; rentang yang hilang: "
            '`judul govern reviewed pemulihan --reason "dari kapan sampai kapan"`',
            "`judul govern verify` lulus, dan jumlah baris sesuai dengan cadangannya",
        ),
        BAD_VERSION: Incident(
            "P2",
            "Versi yang baru diberlakukan lebih buruk",
            (
                "Lihat apa yang berlaku dan sebelumnya: `judul models list` dan `judul models show "
                "light`.",
                'Kembali: `judul models rollback light --reason "keluhan atas versi baru" --approver '
                '"nama"`. Halaman memakainya setelah dimuat ulang.',
                "Bandingkan keduanya pada pasangan emas: `judul govern fairness --model light` sebelum "
                "dan sesudahnya.",
                "Tandai versi itu agar tidak dipakai lagi: `judul models tag light VERSI ditolak`.",
            ),
            f"{_HEAD}; pengguna yang menerima simpulan keliru diberi tahu bahwa judulnya diperiksa lagi",
            "pengembalian tercatat sendiri di jejak audit, dengan ukuran lama dan baru",
            "versi sebelumnya berlaku di `judul models list`, dan judul yang dikeluhkan diperiksa lagi",
        ),
    }
)
"""Kinds of incident: first those that are alerts, then the others."""
