<?php
// Periksa sebuah judul, lalu sebuah daftar judul. Hanya memerlukan PHP 8.
// Pemakaian: JUDUL_SERVER=http://localhost:8866 JUDUL_KUNCI=judul_… php check.php "Judul lengkap"

declare(strict_types=1);

// Kirim permintaan; kembalikan jawabannya, atau berhenti dengan kalimat penolakannya.
function call(string $method, string $path, ?array $content = null): array
{
    $server = getenv('JUDUL_SERVER') ?: 'http://localhost:8866';
    $key = getenv('JUDUL_KUNCI'); // Kosong bila server tidak meminta kunci.
    $headers = ['Accept: application/json', 'Content-Type: application/json'];
    if ($key) {
        $headers[] = "Authorization: Bearer $key";
    }
    $options = ['method' => $method, 'header' => $headers, 'ignore_errors' => true, 'timeout' => 30];
    if ($content !== null) {
        $options['content'] = json_encode($content, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE);
    }
    for ($try = 0; $try < 5; $try++) {
        $body = file_get_contents($server . $path, false, stream_context_create(['http' => $options]));
        if ($body === false) {
            exit("Server tidak menjawab.\n");
        }
        $status = (int) explode(' ', $http_response_header[0])[1];
        $answer = json_decode($body, true, 512, JSON_THROW_ON_ERROR);
        if ($status < 400) {
            return $answer;
        }
        if ($status !== 429 && $status !== 503) {
            break;
        }
        $seconds = preg_grep('/^Retry-After:/i', $http_response_header);
        sleep((int) trim(explode(':', reset($seconds) ?: 'Retry-After: 1')[1]));
    }
    fwrite(STDERR, "{$answer['title']}: {$answer['detail']}\n");
    exit(1);
}

$title = $argv[1];
$answer = call('POST', '/api/v1/check', ['title' => $title, 'top' => 3]);
echo "{$answer['verdict']}: {$answer['sentence']}\n";
foreach ($answer['matches'] as $match) {
    printf("- %.2f %s (%s)\n", $match['probability'], $match['title'], $match['remark']);
}

$titles = [['id' => 'A11', 'title' => $title], ['id' => 'A12', 'title' => strtoupper($title)]];
$job = call('POST', '/api/v1/batch', ['titles' => $titles]);
while (in_array($job['state'], ['menunggu', 'berjalan'], true)) {
    usleep(500_000);
    $job = call('GET', "/api/v1/jobs/{$job['id']}");
}
if ($job['state'] !== 'selesai') {
    fwrite(STDERR, $job['message'] . "\n");
    exit(1);
}
foreach (call('GET', $job['result'])['titles'] as $checked) {
    echo "{$checked['id']}: {$checked['verdict']}\n";
}
