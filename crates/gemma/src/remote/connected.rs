//! The connection between two machines, see [`super`].

use super::{ROOM, Told};
use crate::device;
use crate::error::{Error, Result};
use burn::backend::ir::{BackendIr, CustomOpIr, TensorIr};
use burn::backend::{Cube, DispatchDevice, Flex, Remote};
use burn::remote::{ConnectError, CustomOpClient, RemoteHost};
use burn::server::{AuthorizationRequest, Credential, PeerAuthorizer, RemoteServer, TokenAuthorizer, WebSocketTransport};
use burn::tensor::{DType, Device, Shape, Tensor, TensorData};
use say::say;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

/// How long a connection may take to come about; on one network it takes milliseconds.
const REACH: Duration = Duration::from_millis(1500);

/// How long a machine may take to open a session, or to say that one is still open.
const PATIENCE: Duration = Duration::from_secs(5);

/// The operation that [`Told`] answers.
const ABOUT: &str = "lapidary_about";

/// Stands in a credential between the token and the number of the session.
const MARK: u8 = b'#';

/// What comes of work within a time; nothing if it takes longer, or crashes.
fn within<T: Send + 'static>(time: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (send, done) = mpsc::channel();
    std::thread::Builder::new().name("remote".into()).spawn(move || drop(send.send(work()))).ok()?;
    done.recv_timeout(time).ok()
}

/// Whether something listens at an address; the reason where nothing does. burn itself would try again for a quarter of a
/// minute, and longer where nothing comes back.
fn reach(address: &str) -> std::result::Result<(), String> {
    let to = address.to_string();
    // a name may take long to become numbers, too
    let tried = within(2 * REACH, move || -> std::io::Result<()> {
        let mut refused = std::io::ErrorKind::AddrNotAvailable.into();
        let all: Vec<_> = to.to_socket_addrs()?.collect();
        // of a name with several addresses the last may be the one that answers
        let each = REACH / u32::try_from(all.len()).unwrap_or(1).max(1);
        for socket in all {
            match TcpStream::connect_timeout(&socket, each) {
                Ok(_) => return Ok(()),
                Err(e) => refused = e,
            }
        }
        Err(refused)
    });
    match tried {
        Some(reached) => reached.map_err(|e| say::system(&e)),
        None => Err(say!("nothing came back in time", "nulla è tornato in tempo")),
    }
}

/// Whether this build has devices of other machines.
///
/// # Errors
/// None here.
pub fn available() -> Result<()> {
    Ok(())
}

/// A session of this process with a device of another machine. burn keeps it as long as the process lives.
struct Session {
    address: String,
    token: String,
    device: Device,
}

static SESSIONS: Mutex<Vec<Session>> = Mutex::new(Vec::new());

/// Sessions that were tried to be opened.
static ATTEMPTS: AtomicUsize = AtomicUsize::new(0);

/// Opens the device that is served at an address; the session of this process, if it has one that still answers.
///
/// # Errors
/// If nothing listens there, or the token is not the right one.
pub fn open(address: &str, token: &str) -> Result<Device> {
    let fail = |what: String| Error::Device { device: address.into(), what };
    reach(address).map_err(|why| {
        fail(say!(
            "cannot be reached ({why}); see that `lapidary serve` runs there, and that the address is right",
            "non è raggiungibile ({why}); controlla che lì sia in esecuzione `lapidary serve`, e che l’indirizzo sia giusto"
        ))
    })?;
    let mut sessions = SESSIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = sessions.iter().rev().find(|s| s.address == address && s.token == token).map(|s| s.device.clone());
    if let Some(device) = known.filter(answers) {
        return Ok(device);
    }
    // burn opens no session anew that was lost, so each one presents itself as another's
    let number = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
    let host = RemoteHost::websocket(&format!("ws://{address}")).with_credential(format!("{token}{}{number}", char::from(MARK)));
    match within(PATIENCE, move || Device::remote_options(&host).init()) {
        Some(Ok(device)) => {
            sessions.push(Session { address: address.into(), token: token.into(), device: device.clone() });
            Ok(device)
        }
        Some(Err(refused)) => Err(fail(refusal(&refused))),
        None => Err(fail(say!(
            "was reached but opened no session; see what `lapidary serve` says there",
            "è stato raggiunto ma non ha aperto una sessione; guarda che cosa dice lì `lapidary serve`"
        ))),
    }
}

/// Why a session was not opened, and what to do.
fn refusal(refused: &ConnectError) -> String {
    match refused {
        ConnectError::Unauthorized => say!(
            "does not take this token; add the device again with the token that `lapidary serve` prints there",
            "non accetta questo token; aggiungi di nuovo il dispositivo con il token che lì stampa `lapidary serve`"
        ),
        ConnectError::IncompatibleProtocol { .. } => say!(
            "runs another version of Lapidary; install the same one on both machines",
            "usa un’altra versione di Lapidary; installa la stessa su entrambi i computer"
        ),
        other => say!(
            "opened no session ({other}); see that it is `lapidary serve` that listens there",
            "non ha aperto una sessione ({other}); controlla che lì sia in ascolto `lapidary serve`"
        ),
    }
}

/// Asks what a device of another machine is.
///
/// # Errors
/// If it is of this one, its session was lost, or it is not served by this program.
pub fn about(device: &Device) -> Result<Told> {
    let silent = || Error::Device {
        device: device::name(device),
        what: say!(
            "does not say what it is; see that it is `lapidary serve` that listens there",
            "non dice che cos’è; controlla che lì sia in ascolto `lapidary serve`"
        ),
    };
    let own = device.clone().without_autodiff();
    let DispatchDevice::Remote(remote) = own.as_dispatch() else { return Err(silent()) };
    let client = CustomOpClient::new(remote);
    let out = TensorIr::uninit(client.create_empty_handle(), Shape::new([ROOM]), DType::F32);
    let answer = client.register(CustomOpIr::new(ABOUT, &[], &[out])).pop().ok_or_else(silent)?;
    let numbers = Tensor::<1>::from_primitive::<Remote>(answer).try_into_data().map_err(|_| silent())?;
    let numbers: Vec<f32> = numbers.try_to_vec().map_err(|_| silent())?;
    Told::read(&numbers).ok_or_else(silent)
}

/// The address of a device of another machine; none if it is of this one.
pub fn address(device: &Device) -> Option<String> {
    let sessions = SESSIONS.lock().unwrap_or_else(PoisonError::into_inner);
    sessions.iter().find(|s| s.device == *device).map(|s| s.address.clone())
}

/// Whether a device is another machine's and does not answer any more.
pub fn lost(device: &Device) -> bool {
    address(device).is_some() && !answers(device)
}

fn answers(device: &Device) -> bool {
    let device = device.clone();
    within(PATIENCE, move || device.sync().is_ok()).unwrap_or(false)
}

/// Serves a device of this machine to who has the token, on a listener that is bound, until what it gives is dropped; that
/// wants a Tokio runtime.
///
/// # Errors
/// If the token is empty, or the device cannot be served; later, if the network fails.
pub fn serve(device: &Device, told: &Told, token: &str, listener: TcpListener) -> Result<impl Future<Output = Result<()>> + Send + use<>> {
    let gate = TokenAuthorizer::new(token).map_err(|_| Error::Request(say!("the token is empty; make another one", "il token è vuoto; creane un altro")))?;
    let server = RemoteServer::new([device.clone()]).with_authorizer(move |request: AuthorizationRequest<'_>| {
        // what stands behind the mark only tells the sessions of a process apart
        let own = request.credential.as_bytes().split(|b| *b == MARK).next().unwrap_or_default();
        let own = Credential::from(own);
        gate.authorize(AuthorizationRequest { credential: &own, ..request })
    });
    let told = told.numbers()?;
    let server = match device.as_dispatch() {
        DispatchDevice::Flex(_) => telling::<Flex>(server, told),
        DispatchDevice::Cube(_) => telling::<Cube>(server, told),
        _ => {
            let what = say!("cannot be served; choose another", "non si può offrire; scegline un altro");
            return Err(Error::Device { device: device::name(device), what });
        }
    };
    let serving = server.serve_async(WebSocketTransport::from_listener(listener));
    Ok(async move { serving.await.map_err(|e| Error::Request(say!("the device is served no longer: {e}", "il dispositivo non è più offerto: {e}"))) })
}

/// The server with its answer to [`ABOUT`].
fn telling<B: BackendIr>(server: RemoteServer, told: Vec<f32>) -> RemoteServer {
    server.with_custom_op::<B, _>(ABOUT, move |handles, operation, device| {
        if let Some(out) = operation.outputs.first() {
            let data = TensorData::new(told.clone(), [told.len()]);
            handles.register_float_tensor::<B>(&out.id, B::float_from_data(data, device));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_where_nobody_listens_is_said_at_once() {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").to_string();
        let refused = open(&free, "token").expect_err("nobody is there").to_string();
        assert!(refused.contains(&free) && refused.contains("cannot be reached") && !refused.contains("token"), "{refused}");
        assert_eq!((address(&Device::flex()), lost(&Device::flex())), (None, false));
    }
}
